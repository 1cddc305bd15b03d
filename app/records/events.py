"""Event: what happened at a camera that somebody is to be told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from .ids import uuid7
from .verdicts import now

EventKind = Literal[
    "alarm.raised", "alarm.cleared", "camera.lost", "camera.back", "camera.blind", "camera.sees"
]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        category: None where it is about the camera itself.
        body: what JSON takes: the verdict's id, its score, links, …; no pictures.
        overlay: a small picture of the place, JPEG or PNG; None: there is none.
        time: with its zone; stored in UTC, to the microsecond.
    """

    kind: EventKind
    camera: str
    category: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    overlay: bytes | None = field(default=None, repr=False)
    id: UUID = field(default_factory=uuid7)
    time: datetime = field(default_factory=now)

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("an event's time must have its zone")

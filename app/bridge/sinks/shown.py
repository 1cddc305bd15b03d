"""What Home Assistant sees of a camera: the newest reading of each category, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...records.events import Event
from .discovery import OFF, ON


@dataclass(frozen=True)
class Reading:
    """The newest verdict of a category. time: when, as ISO 8601 has it."""

    verdict: str
    score: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    time: str | None = None


@dataclass
class ShownCamera:
    """A camera's state as it is sent.

    Attributes:
        categories: those that are announced, in their order. raised: those that are an alarm.
    """

    categories: tuple[str, ...] = ()
    readings: dict[str, Reading] = field(default_factory=dict)
    raised: set[str] = field(default_factory=set)
    blind: bool = False
    lost: bool = False
    paused: bool = False

    def learn(self, event: Event) -> None:
        """What an event changes."""
        match event.kind:
            case "alarm.raised" if event.category:
                self.raised.add(event.category)
            case "alarm.cleared" if event.category:
                self.raised.discard(event.category)
            case "camera.blind" | "camera.sees":
                self.blind = event.kind == "camera.blind"
            case "camera.lost" | "camera.back":
                self.lost = event.kind == "camera.lost"

    def to_json(self) -> str:
        """The state's JSON; a category without a reading has an alarm's state only."""
        names = dict.fromkeys([*self.categories, *self.readings, *sorted(self.raised)])
        return json.dumps(
            {
                "alarm": _word(bool(self.raised)),
                "blind": _word(self.blind),
                "lost": _word(self.lost),
                "paused": _word(self.paused),
                "categories": {name: self._category(name) for name in names},
            }
        )

    def _category(self, name: str) -> Mapping[str, Any]:
        reading = self.readings.get(name)
        said = {} if reading is None else {
            "verdict": reading.verdict, "score": reading.score, "threshold": reading.threshold,
            "p_value": reading.p_value, "time": reading.time,
        }  # fmt: skip
        return {"alarm": _word(name in self.raised), **said}


def event_json(event: Event) -> str:
    """An event as automations read it."""
    return json.dumps(
        {
            "id": str(event.id), "time": event.time.isoformat(), "kind": event.kind,
            "camera": event.camera, "category": event.category, **event.body,
        }
    )  # fmt: skip


def shown_cameras(cameras: Mapping[str, Sequence[str]]) -> dict[str, ShownCamera]:
    """Cameras by name, of which nothing is known yet."""
    return {camera: ShownCamera(tuple(categories)) for camera, categories in cameras.items()}


def _word(value: bool) -> str:
    return ON if value else OFF

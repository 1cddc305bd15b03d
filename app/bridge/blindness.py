"""When a camera itself is the alarm: it is lost, or what it sends cannot be judged.

    here ── in trouble for `lost_after_s` ────► lost ── a frame arrives ───────────────────► here
    sees ── `blind_after` photos in a row ────► blind ── `sees_after` photos in a row that ──► sees
            that cannot be judged                       can be judged

Both go on side by side. As in `alarms.py`, a time that would lie in the future becomes now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self

from ..records.events import Event, EventKind
from ..records.ids import uuid7
from .alarms import NewId

SourceState = Literal["waiting", "running", "stalled", "failed"]


@dataclass(frozen=True)
class CameraRule:
    """When a camera is an alarm.

    Attributes:
        blind_after: photos in a row that cannot be judged. sees_after: those in a row that can.
        lost_after_s: how long its source may be in trouble before anybody is told.

    Raises:
        ValueError: a value that cannot be.
    """

    blind_after: int = 5
    sees_after: int = 2
    lost_after_s: float = 60.0

    def __post_init__(self) -> None:
        if self.blind_after < 1 or self.sees_after < 1:
            raise ValueError("a camera is blind, or sees again, after one photo at least")
        if not 0 <= self.lost_after_s < float("inf"):
            raise ValueError("a camera is lost after a number of seconds from 0 on")


@dataclass(frozen=True)
class CameraAlarm:
    """What is remembered of one camera.

    Attributes:
        unusable, usable: how many of the last photos in a row could not, or could, be judged.
        blind_at, lost_at: when that was told; None: it is not so.
        trouble_at: since when its source has been in trouble; None: it is not.
    """

    unusable: int = 0
    usable: int = 0
    blind_at: datetime | None = None
    trouble_at: datetime | None = None
    lost_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "unusable": self.unusable,
            "usable": self.usable,
            "blind_at": _text(self.blind_at),
            "trouble_at": _text(self.trouble_at),
            "lost_at": _text(self.lost_at),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        times = (_time(found[name]) for name in ("blind_at", "trouble_at", "lost_at"))
        return cls(int(found["unusable"]), int(found["usable"]), *times)


def observe_photo(
    state: CameraAlarm,
    usable: bool,
    rule: CameraRule,
    now: datetime,
    *,
    camera: str,
    facts: Mapping[str, Any] | None = None,
    new_id: NewId = uuid7,
) -> tuple[CameraAlarm, list[Event]]:
    """After one more photo, whatever the number of categories it was judged for.

    Args:
        usable: whether any of them could judge it. facts: for the event's body: why not, …
        now: when it was taken, with its zone.
    """
    state = replace(
        state,
        unusable=0 if usable else state.unusable + 1,
        usable=state.usable + 1 if usable else 0,
        blind_at=_not_after(state.blind_at, now),
    )
    if state.blind_at is None and state.unusable >= rule.blind_after:
        body = {**(facts or {}), "unusable": state.unusable}
        event = _event("camera.blind", camera, body, now, new_id)
        return replace(state, blind_at=now), [event]
    if state.blind_at is not None and state.usable >= rule.sees_after:
        body = {**(facts or {}), "lasted_s": (now - state.blind_at).total_seconds()}
        return replace(state, blind_at=None), [_event("camera.sees", camera, body, now, new_id)]
    return state, []


def observe_source(
    state: CameraAlarm,
    source: SourceState,
    rule: CameraRule,
    now: datetime,
    *,
    camera: str,
    reason: str | None = None,
    new_id: NewId = uuid7,
) -> tuple[CameraAlarm, list[Event]]:
    """After a look at the camera's source: whenever its state changes, and now and then.

    Args:
        source: `waiting` (to try again, or for the first frame) counts as trouble, too.
        reason: what is wrong, for people.
    """
    if source == "running":
        lost_at = _not_after(state.lost_at, now)
        state = replace(state, trouble_at=None, lost_at=None)
        if lost_at is None:
            return state, []
        body: dict[str, Any] = {"lasted_s": (now - lost_at).total_seconds()}
        return state, [_event("camera.back", camera, body, now, new_id)]
    trouble_at = _not_after(state.trouble_at, now) or now
    state = replace(state, trouble_at=trouble_at, lost_at=_not_after(state.lost_at, now))
    if state.lost_at is not None or (now - trouble_at).total_seconds() < rule.lost_after_s:
        return state, []
    body = {"state": source, "reason": reason, "since": trouble_at.isoformat()}
    return replace(state, lost_at=now), [_event("camera.lost", camera, body, now, new_id)]


def _event(
    kind: EventKind, camera: str, body: Mapping[str, Any], now: datetime, new_id: NewId
) -> Event:
    return Event(kind=kind, camera=camera, body=body, id=new_id(), time=now)


def _not_after(time: datetime | None, now: datetime) -> datetime | None:
    return None if time is None else min(time, now)


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

"""When a category of a camera is an alarm: k of the last n photos, and when it is over.

    quiet ── k of the last n photos are anomalous ──────────────────────────► raised
    raised ── hold_s are over, and the last `clear` photos are all normal ──► quiet

A photo that cannot be judged is none of the n: it says nothing of the goods (`blindness.py` counts
those). After an alarm all starts anew: the photos that raised it raise no second one. Times are of
the wall clock, since they outlast a restart; where the clock steps back, a time that would lie in
the future becomes now, so that a hold lasts `hold_s` more at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self
from uuid import UUID

from ..records.events import Event
from ..records.ids import uuid7

NewId = Callable[[], UUID]


@dataclass(frozen=True)
class AlarmRule:
    """When an alarm is raised and cleared.

    Attributes:
        k, n: so many of the last so many judged photos are anomalous.
        hold_s: how long an alarm stays raised at least.
        clear: normal photos in a row that end it; None: n.
        within_s: a photo that is older counts no more; None: all do.

    Raises:
        ValueError: a value that cannot be; the text says which.
    """

    k: int = 2
    n: int = 3
    hold_s: float = 60.0
    clear: int | None = None
    within_s: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n <= 1000:
            raise ValueError(f"k of n must be 1 <= k <= n <= 1000, not {self.k} of {self.n}")
        if not 0 <= self.hold_s < float("inf"):
            raise ValueError("the hold time must be a number of seconds from 0 on")
        if self.clear is not None and self.clear < 1:
            raise ValueError("an alarm needs one normal photo at least to be cleared")
        if self.within_s is not None and not self.within_s > 0:
            raise ValueError("photos must count for some seconds at least")

    @property
    def normal_to_clear(self) -> int:
        """Normal photos in a row that end an alarm."""
        return self.n if self.clear is None else self.clear


@dataclass(frozen=True)
class Observation:
    """What the service said of one photo.

    Attributes:
        facts: what an event tells of it, as JSON has it: verdict id, score, threshold, regions, …
        overlay: a picture of the place; None: there is none.
    """

    verdict: Literal["normal", "anomalous", "unusable"]
    facts: Mapping[str, Any] = field(default_factory=dict)
    overlay: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AlarmState:
    """What is remembered of one camera and category.

    Attributes:
        seen: of the last n judged photos, the oldest first: when, and whether it was anomalous.
        normal: how many of the last ones in a row were normal.
        raised_at: when the alarm was raised; None: there is none.
        raised_by: the id of the event that said so.
    """

    seen: tuple[tuple[datetime, bool], ...] = ()
    normal: int = 0
    raised_at: datetime | None = None
    raised_by: UUID | None = None

    @property
    def is_raised(self) -> bool:
        return self.raised_at is not None

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "seen": [[time.isoformat(), anomalous] for time, anomalous in self.seen],
            "normal": self.normal,
            "raised_at": self.raised_at.isoformat() if self.raised_at else None,
            "raised_by": str(self.raised_by) if self.raised_by else None,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        raised_at, raised_by = found["raised_at"], found["raised_by"]
        return cls(
            tuple((datetime.fromisoformat(time), bool(said)) for time, said in found["seen"]),
            int(found["normal"]),
            datetime.fromisoformat(raised_at) if raised_at else None,
            UUID(raised_by) if raised_by else None,
        )


def observe(
    state: AlarmState,
    observation: Observation,
    rule: AlarmRule,
    now: datetime,
    *,
    camera: str,
    category: str,
    new_id: NewId = uuid7,
) -> tuple[AlarmState, list[Event]]:
    """What is remembered after one more photo, and what is to be told: nothing, or one event.

    Args:
        now: when the photo was taken, with its zone.
    """
    if observation.verdict == "unusable":
        return state, []
    anomalous = observation.verdict == "anomalous"
    seen = (*((min(time, now), said) for time, said in state.seen), (now, anomalous))
    if rule.within_s is not None:
        oldest = now - timedelta(seconds=rule.within_s)
        seen = tuple(one for one in seen if one[0] >= oldest)
    state = replace(
        state,
        seen=seen[-rule.n :],
        normal=0 if anomalous else state.normal + 1,
        raised_at=min(state.raised_at, now) if state.raised_at else None,
    )
    change = _cleared if state.is_raised else _raised
    told = change(state, rule, now)
    if told is None:
        return state, []
    kind, after, counts = told
    identity = new_id()
    if kind == "alarm.raised":
        after = replace(after, raised_by=identity)
    event = Event(
        kind=kind,
        camera=camera,
        category=category,
        body={**observation.facts, **counts},
        overlay=observation.overlay,
        id=identity,
        time=now,
    )
    return after, [event]


_Change = tuple[Literal["alarm.raised", "alarm.cleared"], AlarmState, dict[str, Any]]


def _raised(state: AlarmState, rule: AlarmRule, now: datetime) -> _Change | None:
    anomalous = sum(said for _, said in state.seen)
    # A rule that was made stricter meanwhile must not find its alarm at a normal photo.
    if anomalous < rule.k or state.normal:
        return None
    counts = {"anomalous": anomalous, "of": len(state.seen), "k": rule.k, "n": rule.n}
    return "alarm.raised", replace(state, raised_at=now), counts


def _cleared(state: AlarmState, rule: AlarmRule, now: datetime) -> _Change | None:
    assert state.raised_at is not None
    lasted_s = (now - state.raised_at).total_seconds()
    if lasted_s < rule.hold_s or state.normal < rule.normal_to_clear:
        return None
    raised_by = str(state.raised_by) if state.raised_by else None
    counts = {"normal": state.normal, "lasted_s": lasted_s, "raised_by": raised_by}
    return "alarm.cleared", AlarmState(), counts

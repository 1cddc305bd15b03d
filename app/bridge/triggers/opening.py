"""Opening hours in words: "08:00-20:00", "mon-sat 07:00-22:00", "fri,sat 20:00-02:00"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(?:(.*\S)\s+)?(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)")
_EXAMPLE = 'write hours as "08:00-20:00" or "mon-sat 08:00-20:00"'
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Span:
    """Open on these days from `start` to `end`, minutes of the day; past midnight where `end` is
    no later than `start`, and then the day is that on which it opens."""

    days: frozenset[int]
    start: int
    end: int

    def holds(self, day: int, minute: float) -> bool:
        """Whether it is open on that day of the week at that minute."""
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        before = (day - 1) % 7
        return (day in self.days and minute >= self.start) or (
            before in self.days and minute < self.end
        )


@dataclass(frozen=True)
class Opening:
    """When a shop is open; without spans always.

    Attributes:
        zone: whose clock it is; None: this machine's.
    """

    spans: tuple[Span, ...] = ()
    zone: tzinfo | None = None

    @classmethod
    def parse(cls, hours: Sequence[str], zone: str | None = None) -> Opening:
        """Of the file's words.

        Raises:
            ValueError: they are none; the text says which.
        """
        return cls(tuple(map(_span, hours)), None if zone is None else zone_of(zone))

    def is_open(self, moment: datetime) -> bool:
        """At a moment, aware of its zone. An hour that a clock repeats is open twice."""
        if not self.spans:
            return True
        local = moment.astimezone(self.zone)
        minute = local.hour * 60 + local.minute + local.second / 60
        return any(span.holds(local.weekday(), minute) for span in self.spans)

    @property
    def seconds_a_day(self) -> float:
        """How long it is open on the day on which it is open longest."""
        if not self.spans:
            return 86400.0
        moments = [time(h, m) for h in range(24) for m in range(0, 60, 5)]
        lengths = [
            sum(any(s.holds(day, t.hour * 60 + t.minute) for s in self.spans) for t in moments)
            for day in range(7)
        ]
        return max(lengths) * timedelta(minutes=5).total_seconds()


def zone_of(name: str) -> tzinfo:
    """A time zone by its name, such as Europe/Berlin.

    Raises:
        ValueError: there is none of that name; the text names the nearest.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        nearest = get_close_matches(name, sorted(available_timezones()), n=1)
        hint = f"; {nearest[0]} is the nearest" if nearest else ", as Europe/Berlin is one"
        raise ValueError(f"zone {name!r} is no time zone{hint}") from exc


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"hours {text!r} cannot be read: {_EXAMPLE}")
    start, end = (int(found[i]) * 60 + int(found[i + 1]) for i in (2, 4))
    if max(start, end) > _DAY_MINUTES or int(found[3]) > 59 or int(found[5]) > 59:
        raise ValueError(f"hours {text!r} have a time that no clock shows: {_EXAMPLE}")
    return Span(_days(found[1], text) if found[1] else frozenset(range(7)), start, end)


def _days(words: str, text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in re.split(r"[,\s]+", words):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"hours {text!r} name no days from mon to sun: {_EXAMPLE}")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days |= {day % 7 for day in range(start, end + 1 + (7 if end < start else 0))}
    return frozenset(days)

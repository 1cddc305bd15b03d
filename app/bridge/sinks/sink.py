"""Sink: how one event is told to one target, and what may come of it.

SinkError           base; the text is for people and holds no secret
├── Retry           not now: the same event is tried again later
├── Refused         never this event; the next one may be taken
└── Gone            no event any more: the target is disabled
"""

from __future__ import annotations

from typing import Protocol

from ...records.events import Event


class SinkError(Exception):
    """An event was not taken."""


class Retry(SinkError):
    """It was not taken now.

    Attributes:
        after_s: how long the target asks to wait; None: it does not say.
        reached: whether the target answered at all. What is not reached is tried again within
            seconds, however often: that costs it nothing.
    """

    def __init__(self, reason: str, after_s: float | None = None, *, reached: bool = True) -> None:
        super().__init__(reason)
        self.after_s, self.reached = after_s, reached


class Refused(SinkError):
    """It will never be taken."""


class Gone(SinkError):
    """The target wants no events any more."""


class Sink(Protocol):
    """Speaks to one target. Opened, then used by one task, then closed."""

    async def open(self) -> None:
        """Start what it needs. Does not wait for the target."""

    async def deliver(self, event: Event, overlay: bytes | None) -> None:
        """Tell of an event; returns when the target has it.

        Args:
            overlay: a picture of the place, JPEG or PNG.

        Raises:
            Retry, Refused, Gone.
        """

    async def close(self) -> None:
        """End what `open` started."""

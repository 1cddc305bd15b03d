"""One frame every so many seconds."""

from __future__ import annotations

from ..frames import Frame

# Of the time between two: a frame that comes so little early is the one that was meant.
_EARLY = 0.1


class Every:
    """Goes by when photos were taken, on the clock that never steps."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last: float | None = None

    def wants(self, frame: Frame) -> bool:
        """Whether so many seconds have passed since the last one that it wanted."""
        due = self._last is None or frame.taken - self._last >= self._every_s * (1 - _EARLY)
        if due:
            self._last = frame.taken
        return due

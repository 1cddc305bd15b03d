"""Only while the shop is open."""

from __future__ import annotations

from ..frames import Frame
from .opening import Opening


class Hours:
    """Goes by the time at which a photo was taken."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    def wants(self, frame: Frame) -> bool:
        """Whether it was taken in opening hours."""
        return self._opening.is_open(frame.taken_at)

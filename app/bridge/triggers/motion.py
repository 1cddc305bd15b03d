"""When what moved is still again: a hand that fills a shelf is not judged, the shelf then is.

    still ── some places differ from the frame before ──► moving
    moving ── no frame has differed for still_s ──► still: this frame is judged

The first frame is judged, too, and one every `every_s` where nothing moves.
"""

from __future__ import annotations

from ..frames import Frame
from ..small_grey import Grey, NotAPhoto, changed, small_grey

# Grey values, mean of a place: a camera's noise stays below, what moves does not.
_DIFFERS = 12.0


class Motion:
    """Compares each frame with the one before it, both small and grey."""

    def __init__(self, share: float, still_s: float, every_s: float) -> None:
        """`share` of the picture's places must differ for it to be motion."""
        self._share, self._still_s, self._every_s = share, still_s, every_s
        self._before: Grey | None = None
        self._moved_at: float | None = None
        self._wanted_at: float | None = None

    @property
    def moving(self) -> bool:
        """Whether something moves, or has until just now."""
        return self._moved_at is not None

    def wants(self, frame: Frame) -> bool:
        """Whether it is the first one of a scene that has come to rest, or due anyway.

        A frame that cannot be decoded is wanted: the service says what is wrong with it.
        """
        try:
            grey = small_grey(frame.data)
        except NotAPhoto:
            return True
        before, self._before = self._before, grey
        if before is not None and changed(before, grey, _DIFFERS) >= self._share:
            self._moved_at = frame.taken
        if self._moved_at is not None:
            if frame.taken - self._moved_at < self._still_s or frame.taken == self._moved_at:
                return False
            self._moved_at = None
        elif self._wanted_at is not None and frame.taken - self._wanted_at < self._every_s:
            return False
        self._wanted_at = frame.taken
        return True

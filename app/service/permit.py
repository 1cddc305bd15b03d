"""Permit: places in the queue that were given, passed on to whoever has the photos judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.detector import Detector
from ..core.photo.view import WHOLE_VIEW, View


@dataclass(frozen=True)
class Asked:
    """Detectors that share a network and see the same part of a photo: embedded once for all."""

    detectors: Sequence[Detector]
    view: View = WHOLE_VIEW


class Permit:
    """Leave to have some photos judged by some detectors, given by `Inspector.admit`."""

    def __init__(self, asked: Sequence[Asked], photos: int) -> None:
        """`asked`: who judges each of so many photos."""
        self._asked, self._left = asked, photos

    def use(self) -> Sequence[Asked]:
        """Who judges one of the photos.

        Raises:
            RuntimeError: the permit has ended, or is used up.
        """
        if not self._left:
            raise RuntimeError("the inspector admitted no photo more than it has been given")
        self._left -= 1
        return self._asked

    def end(self) -> None:
        """The places are given back."""
        self._left = 0

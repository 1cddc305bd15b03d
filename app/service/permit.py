"""Permit: places in the queue that were given, passed on to whoever has the photos judged."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.detector import Detector


class Permit:
    """Leave to have some photos judged by some detectors, given by `Inspector.admit`."""

    def __init__(self, networks: Sequence[Sequence[Detector]], photos: int) -> None:
        """`networks` holds the detectors, those together that share a network."""
        self._networks, self._left = networks, photos

    def use(self) -> Sequence[Sequence[Detector]]:
        """Who judges one of the photos.

        Raises:
            RuntimeError: the permit has ended, or is used up.
        """
        if not self._left:
            raise RuntimeError("the inspector admitted no photo more than it has been given")
        self._left -= 1
        return self._networks

    def end(self) -> None:
        """The places are given back."""
        self._left = 0

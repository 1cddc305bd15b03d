"""How many pixels are in memory at once, over all threads: those being decoded, and those of
pictures that wait until something is drawn on them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelBudget:
    """A number of pixels that threads share, in the order in which they come.

    A photo larger than the whole budget is let in when nothing else is being decoded. Whoever has a
    share must get on without another one: two that wait for each other would wait for ever.
    """

    def __init__(self, pixels: int) -> None:
        self._total = self._free = pixels
        self._turn = threading.Lock()  # a large photo must not be overtaken for ever
        self._change = threading.Condition()

    def take(self, pixels: int) -> Share:
        """Wait until there is room for so many pixels, and keep it until it is given back."""
        pixels = min(pixels, self._total)
        with self._turn, self._change:
            self._change.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        return Share(self, pixels)

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for so many pixels, and keep it."""
        share = self.take(pixels)
        try:
            yield
        finally:
            share.give_back()

    def _give_back(self, share: Share) -> None:
        with self._change:
            self._free += share.pixels
            share.pixels = 0
            self._change.notify_all()


class Share:
    """Room for so many pixels.

    Attributes:
        pixels: 0 once they are given back.
    """

    def __init__(self, budget: PixelBudget, pixels: int) -> None:
        self.pixels = pixels
        self._budget = budget

    def give_back(self) -> None:
        """Let others have it; nothing happens the second time."""
        self._budget._give_back(self)

"""How many pixels are decoded at once, over all threads: what bounds the memory of decoding."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelBudget:
    """A number of pixels that threads share, in the order in which they come.

    A photo larger than the whole budget is let in when nothing else is being decoded.
    """

    def __init__(self, pixels: int) -> None:
        self._total = self._free = pixels
        self._turn = threading.Lock()  # a large photo must not be overtaken for ever
        self._change = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for so many pixels, and keep it."""
        share = min(pixels, self._total)
        with self._turn, self._change:
            self._change.wait_for(lambda: self._free >= share)
            self._free -= share
        try:
            yield
        finally:
            with self._change:
                self._free += share
                self._change.notify_all()

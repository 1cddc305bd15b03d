"""How many of the photos that nobody need look at get a thumbnail all the same."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_BURST = 8.0


class Pace:
    """So many a second, a few more after a pause (a token bucket). For one thread."""

    def __init__(
        self, per_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._clock = per_s, clock
        self._left, self._at = _BURST, clock()
        self.refused = 0

    def allows(self) -> bool:
        """Whether one more may be drawn now; one that may not is counted."""
        now = self._clock()
        passed, self._at = now - self._at, now
        if self._per_s == math.inf:
            return True
        self._left = min(_BURST, self._left + passed * self._per_s)
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True

"""When somebody asks: by a message, or at the bridge's own address."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..frames import Frame

# A photo of just before the question shows what was meant as well as the next one does.
_BEFORE_S = 0.2


class Asked:
    """Wants the first frame that was taken once somebody has asked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None

    def ask(self) -> None:
        """Want the next one. Asked twice before it comes, it is one."""
        if self._since is None:
            self._since = self._clock()

    def wants(self, frame: Frame) -> bool:
        """Whether it answers the question."""
        if self._since is None or frame.taken < self._since - _BEFORE_S:
            return False
        self._since = None
        return True

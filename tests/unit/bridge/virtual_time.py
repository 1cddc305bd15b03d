"""An event loop whose clock jumps to the next thing that is due: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Does not wait: what would be slept is added to the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`asyncio.timeout`, `sleep` and `wait_for` go by `time()`, and so by this clock."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(program: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, by that clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(program)

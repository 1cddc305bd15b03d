"""When somebody asks: by a message, or at the bridge's own address."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable

from ..config import Broker
from ..frames import Frame
from ..sources.source import SourceError

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


class Questions:
    """A topic of the broker's on which each message asks for a photo.

    It is a source without photos, so that a `Supervisor` runs it as it runs those with them.
    """

    stall_s: float | None = None

    def __init__(self, name: str, topic: str, broker: Broker, ask: Callable[[], None]) -> None:
        self.name, self._topic, self._broker, self._ask = name, topic, broker, ask

    def ask(self) -> None:
        """It has none to give."""

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """None, ever; `ask` is called at each message that the broker has not kept.

        Raises:
            SourceError: the broker is not there.
        """
        from ..sources.broker import connected  # loaded only where a topic is named

        async with connected(self._broker, self._topic) as client:
            async for message in client.messages:
                if not message.retain:
                    self._ask()
        raise SourceError("the broker has ended the connection")
        yield  # what makes it a generator

"""How many requests a client may send in a minute: a token bucket each, in memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

_MINUTE_NS = 60 * 10**9

# About 2 MB. Beyond it the client that has been quiet for longest is forgotten, its limit with it.
MAX_CLIENTS = 10_000


class RateLimiter:
    """A bucket per client that holds a minute's requests and refills evenly.

    A bucket is one number, the time at which it will be full again (the generic cell rate
    algorithm, ITU-T I.371): a full one and one that was never seen are the same. Whole nanoseconds,
    so that whoever waits as told is let in, whatever the rounding.

    Not thread-safe: the event loop alone asks it.
    """

    def __init__(
        self, clock: Callable[[], int] = time.monotonic_ns, max_clients: int = MAX_CLIENTS
    ) -> None:
        self._clock, self._max_clients = clock, max_clients
        self._full_at: OrderedDict[str, int] = OrderedDict()  # the quietest first

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, client: str, per_minute: int) -> int:
        """Take one request of the client's: 0, or the whole seconds until there will be one.

        Args:
            client: whom to count.
            per_minute: its limit; 0: none.
        """
        if per_minute == 0:
            return 0
        full_at, seconds = self._after(client, per_minute)
        if seconds:
            return seconds
        self._full_at[client] = full_at
        self._full_at.move_to_end(client)
        if len(self._full_at) > self._max_clients:
            self._full_at.popitem(last=False)
        return 0

    def wait(self, client: str, per_minute: int) -> int:
        """What `take` would answer; nothing is taken."""
        return self._after(client, per_minute)[1] if per_minute else 0

    def _after(self, client: str, per_minute: int) -> tuple[int, int]:
        """With one request more: when the bucket would be full again, and how long to wait."""
        now = self._clock()
        self._forget(now)
        interval = _MINUTE_NS // per_minute
        full_at = max(self._full_at.get(client, now), now) + interval
        excess = full_at - now - per_minute * interval
        return full_at, math.ceil(max(0, excess) / 10**9)

    def _forget(self, now: int) -> None:
        """Drop the buckets that are full again, from the quietest on."""
        while self._full_at and next(iter(self._full_at.values())) <= now:
            self._full_at.popitem(last=False)

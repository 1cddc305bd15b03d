"""How often wrong keys may be tried from one address."""

from __future__ import annotations

from collections import OrderedDict

from .keys import hashed
from .rate_limit import MAX_CLIENTS, RateLimiter


class WrongKeys:
    """Wrong keys count against the address that they come from, and shut it for keys that have not
    opened anything from there.

    A key that has is let through whatever else comes from its address: cameras behind one router or
    proxy do not suffer from a neighbour's wrong key. While an address is shut, a new key from there
    is not looked at, right or wrong, or else guessing would go on at full speed. What comes from
    other addresses never matters. Requests without any key are counted apart: they guess nothing.

    Not thread-safe: the event loop alone asks it.
    """

    def __init__(
        self, limiter: RateLimiter, a_minute: int, *, max_known: int = MAX_CLIENTS
    ) -> None:
        """Takes what counts, how many there may be in a minute (0: no limit), and how many keys
        that opened are remembered."""
        self._limiter, self._a_minute, self._max_known = limiter, a_minute, max_known
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()  # the quietest first

    def wait(self, address: str, given: bytes) -> int:
        """The whole seconds for which this key is not looked at; 0: it is now."""
        if (address, hashed(given)) in self._known:
            return 0
        return self._limiter.wait(_name(address, given), self._a_minute)

    def wrong(self, address: str, given: bytes) -> None:
        """It is no key; an empty one counts, too, but shuts the address for empty ones alone."""
        self._known.pop((address, hashed(given)), None)
        self._limiter.take(_name(address, given), self._a_minute)

    def right(self, address: str, given: bytes) -> None:
        """It is one."""
        pair = (address, hashed(given))
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > self._max_known:
            self._known.popitem(last=False)


def _name(address: str, given: bytes) -> str:
    return f"{'wrong' if given else 'none'} {address}"

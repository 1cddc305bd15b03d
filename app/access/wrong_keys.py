"""How often wrong keys may be tried from one address."""

from __future__ import annotations

from collections import OrderedDict

from .keys import hashed
from .rate_limit import MAX_CLIENTS, RateLimiter


class WrongKeys:
    """Different wrong keys count against the address that they come from, and shut it for keys that
    have not opened anything from there.

    The same wrong key once more is no guess: a camera that still sends its old key, however often,
    counts once, and is held up by itself alone.

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
        that opened are remembered, and how many that did not."""
        self._limiter, self._a_minute = limiter, a_minute
        self._known, self._refused = _Remembered(max_known), _Remembered(max_known)

    def wait(self, address: str, given: bytes) -> int:
        """The whole seconds for which this key is not looked at; 0: it is now."""
        pair = (address, hashed(given))
        if pair in self._known:
            return 0
        return self._limiter.wait(self._bucket(pair, given), self._a_minute)

    def wrong(self, address: str, given: bytes) -> None:
        """It is no key; an empty one counts, too, but shuts the address for empty ones alone."""
        pair = (address, hashed(given))
        self._known.pop(pair, None)
        self._limiter.take(self._bucket(pair, given), self._a_minute)
        if given:
            self._refused.add(pair)

    def right(self, address: str, given: bytes) -> None:
        """It is one."""
        pair = (address, hashed(given))
        self._refused.pop(pair, None)
        self._known.add(pair)

    def _bucket(self, pair: tuple[str, str], given: bytes) -> str:
        address, key = pair
        if pair in self._refused:
            self._refused.move_to_end(pair)  # not quiet, looked at or not
            return f"again {address} {key}"
        return f"{'wrong' if given else 'none'} {address}"


class _Remembered(OrderedDict[tuple[str, str], None]):
    """(address, hash of a key), the quietest first; the quietest is forgotten for a new one."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def add(self, pair: tuple[str, str]) -> None:
        self[pair] = None
        self.move_to_end(pair)
        if len(self) > self._most:
            self.popitem(last=False)

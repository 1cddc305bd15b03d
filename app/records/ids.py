"""UUIDv7: ids that begin with their time, so that they sort by it (RFC 9562, section 5.7).

48 bits Unix time in ms, version, 42 bits of a counter (12 before the variant, 30 after it), 32
random bits. The counter is the RFC's method 1: it starts anew in each millisecond, its highest bit
0, and counts up within one. Python has this function from 3.14 on.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_COUNTER_BITS = 42
_LOW_BITS = 30
_VERSION, _VARIANT = 7, 0b10


class Ids:
    """Makes ids, each larger than the one before it, whatever the clock does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ms, self._counter = -1, 0

    def next(self, ms: int | None = None) -> UUID:
        """An id of this moment, or of a Unix time in ms; of a time that goes back, the last one's.

        Any thread may ask.
        """
        with self._lock:
            now = time.time_ns() // 1_000_000 if ms is None else ms
            if now > self._ms:
                self._ms = now
                self._counter = int.from_bytes(os.urandom(6)) >> (48 - _COUNTER_BITS + 1)
            else:
                self._counter += 1
                if self._counter >> _COUNTER_BITS:  # so many in one ms: borrow from the next
                    self._ms, self._counter = self._ms + 1, 0
            return _packed(self._ms, self._counter, int.from_bytes(os.urandom(4)))


def _packed(ms: int, counter: int, random: int) -> UUID:
    number = (ms & (1 << 48) - 1) << 80
    number |= _VERSION << 76
    number |= (counter >> _LOW_BITS) << 64
    number |= _VARIANT << 62
    number |= (counter & (1 << _LOW_BITS) - 1) << 32
    return UUID(int=number | random)


_ids = Ids()


def uuid7() -> UUID:
    """A new id; within this process larger than all before."""
    return _ids.next()


def time_of(identity: UUID) -> datetime:
    """When a UUIDv7 was made, in UTC, to the millisecond; of ids of a busy moment, about."""
    return datetime.fromtimestamp((identity.int >> 80) / 1000, UTC)

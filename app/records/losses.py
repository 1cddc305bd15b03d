"""What the recorder could not write, counted by reason; each episode is told once."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import structlog

from .verdicts import now

log = structlog.get_logger()

# The same reason is told no more often than this.
_QUIET_S = 60.0

# queue_full: the writer does not keep up. disk_full, database, folder: they cannot be written now.
# refused: the database will never take this one. closed: the recorder takes nothing any more, or
# had no time left.
Reason = Literal["queue_full", "disk_full", "database", "folder", "refused", "closed"]


@dataclass(frozen=True)
class RecorderState:
    """What the recorder does, for readiness and metrics.

    Attributes:
        waiting, waiting_bytes: verdicts that are not written yet, and their photos' bytes.
        written, photos_kept: since the start.
        not_drawn: verdicts without a thumbnail, since drawing takes longer than all else and the
            queue was more than half full.
        lost, photos_lost: verdicts, and photos that should have been kept, by reason.
        trouble: why something cannot be written at the moment; None: all is.
        since: when that began.
    """

    waiting: int = 0
    waiting_bytes: int = 0
    written: int = 0
    photos_kept: int = 0
    not_drawn: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    photos_lost: Mapping[str, int] = field(default_factory=dict)
    trouble: str | None = None
    since: datetime | None = None


class Losses:
    """Counts what is lost of one kind. An episode begins with a trouble and ends with a success.

    Any thread may tell it.

    Attributes:
        trouble: what the episode is about; None: there is none. since: when it began.
    """

    def __init__(self, what: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the plural of what may be lost, for the log, and a monotonic clock in seconds."""
        self._what, self._clock = what, clock
        self._lock = threading.Lock()
        self._lost: Counter[str] = Counter()
        self._in_episode: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}
        self._is_told = False
        self.trouble: str | None = None
        self.since: datetime | None = None

    def lost(self, reason: Reason, why: str, number: int = 1) -> None:
        """So many are lost."""
        with self._lock:
            self._lost[reason] += number
            self._in_episode[reason] += number
        self.stuck(reason, why)

    def stuck(self, reason: Reason, why: str) -> None:
        """There is a trouble; nothing is lost by it yet."""
        with self._lock:
            is_new = self.trouble is None or reason not in self._told_at
            self.trouble, self.since = why, self.since or now()
            # A disk that is full now and then would fill the log, too.
            quiet_until = self._told_at.get(reason, -math.inf) + _QUIET_S
            if not is_new or self._clock() < quiet_until:
                return
            self._told_at[reason] = self._clock()
            self._is_told = True
        log.error(f"{self._what} cannot be recorded: {why}", reason=reason)

    def recovered(self) -> None:
        """One is written: the episode is over, where there was one."""
        if self.trouble is None:  # as nearly always
            return
        with self._lock:
            self.trouble = self.since = None
            if not self._is_told:
                return
            self._is_told = False
            lost = dict(self._in_episode)
            self._in_episode.clear()
        log.warning(f"{self._what} are recorded again", lost=lost)

    def counts(self) -> dict[str, int]:
        """Those lost since the start, by reason."""
        with self._lock:
            return dict(self._lost)

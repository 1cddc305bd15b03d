"""What the recorder could not write, counted by reason; each episode is told once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import structlog

from .verdicts import now

log = structlog.get_logger()

# queue_full: the writer does not keep up. disk_full, database: it cannot write now. refused: the
# database takes this one never. closed: the recorder takes nothing any more, or had no time left.
Reason = Literal["queue_full", "disk_full", "database", "refused", "closed"]


@dataclass(frozen=True)
class RecorderState:
    """What the recorder does, for readiness and metrics.

    Attributes:
        waiting, waiting_bytes: verdicts that are not written yet, and their photos' bytes.
        written, photos_kept: since the start.
        lost, photos_lost: verdicts, and photos that should have been kept, by reason.
        trouble: why it cannot write at the moment; None: it can.
        since: when that began.
    """

    waiting: int = 0
    waiting_bytes: int = 0
    written: int = 0
    photos_kept: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    photos_lost: Mapping[str, int] = field(default_factory=dict)
    trouble: str | None = None
    since: datetime | None = None


class Losses:
    """Counts what is lost. Any thread may tell it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lost: Counter[str] = Counter()
        self._photos: Counter[str] = Counter()
        self._episodes: dict[str, int] = {}
        self.trouble: str | None = None
        self.since: datetime | None = None

    def verdict(self, reason: Reason, why: str, number: int = 1) -> None:
        """So many verdicts are lost."""
        self._count(self._lost, "verdicts", reason, why, number)

    def photo(self, reason: Reason, why: str) -> None:
        """A photo is lost; its verdict is not."""
        self._count(self._photos, "photos", reason, why, 1)

    def _count(self, counter: Counter[str], what: str, reason: Reason, why: str, n: int) -> None:
        with self._lock:
            counter[reason] += n
            episode = f"{what} {reason}"
            is_new = episode not in self._episodes
            self._episodes[episode] = self._episodes.get(episode, 0) + n
        if is_new:
            log.error(f"{what} are not recorded: {why}", reason=reason)

    def stuck(self, why: str) -> None:
        """Nothing can be written now."""
        with self._lock:
            is_new = self.trouble is None
            if is_new:
                self.since = now()
            self.trouble = why
        if is_new:
            log.error(f"the records cannot be written; they wait: {why}")

    def recovered(self) -> None:
        """All is written that waited: what was lost until now was one episode."""
        with self._lock:
            if self.trouble is None and not self._episodes:
                return
            lost, self._episodes = self._episodes, {}
            self.trouble = self.since = None
        log.warning("records are written again", lost=lost)

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Verdicts and photos lost since the start, by reason."""
        with self._lock:
            return dict(self._lost), dict(self._photos)

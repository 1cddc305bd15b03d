"""Now and then, on a thread: what has to go is deleted, and what a crash left is mended."""

from __future__ import annotations

import threading
import time

import structlog

from ..core.crew import joined
from .mending import mend
from .opening import Records
from .retention import Limits, retain

log = structlog.get_logger()

EVERY_S = 60.0
_MEND_EVERY_S = 24 * 3600.0


class RecordsUpkeep:
    """Retention each minute, mending at the start and each day. Several processes may have one."""

    def __init__(self, records: Records, limits: Limits, every_s: float = EVERY_S) -> None:
        """Start the thread."""
        self._records, self._limits, self._every_s = records, limits, every_s
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="records-upkeep", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float) -> bool:
        """End it; whether it has ended within that time."""
        self._ends.set()
        return not joined([self._thread], time.monotonic() + timeout_s)

    def _work(self) -> None:
        mend_at = time.monotonic()
        while not self._ends.is_set():
            try:
                deleted = retain(self._records, self._limits)
                if deleted.verdicts or deleted.photos:
                    log.info("old records are deleted", verdicts=deleted.verdicts,
                             photos=deleted.photos, bytes=deleted.photo_bytes)  # fmt: skip
                if time.monotonic() >= mend_at:
                    mend(self._records)
                    mend_at = time.monotonic() + _MEND_EVERY_S
            except Exception:  # the next round may find the disk again
                log.exception("a round of the records' upkeep failed")
            self._ends.wait(self._every_s)

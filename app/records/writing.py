"""Recorder: verdicts are put and forgotten; one thread writes them, some at a time.

No answer waits for a disk: where the queue is full, or the database takes nothing for long, what is
put is lost, and counted.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from ..core.crew import joined
from .batch import Draw, Entry, entries, write
from .errors import RecordsFull, RecordsUnavailable
from .keeping import PhotoPolicy
from .losses import Losses, Reason, RecorderState
from .opening import Records
from .pace import Pace
from .thumbnails import thumbnail
from .verdicts import Draft

log = structlog.get_logger()

# Some minutes of a busy service, and what a machine with little memory can spare.
MAX_WAITING, MAX_BYTES = 1000, 256 << 20
# Of the disk on which the photos lie: what the database needs to go on without them.
MIN_FREE_BYTES = 256 << 20
# A transaction costs little more for many verdicts than for one, and takes the interpreter from the
# answers: few of them leave most answers alone. What is anomalous, or asked for (`flush`), is
# written at once.
_BATCH, _GATHER_S = 64, 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0


class Recorder:
    """Takes verdicts from any thread, without waiting, and has one thread write them."""

    def __init__(
        self,
        records: Records,
        policy: PhotoPolicy = PhotoPolicy(),
        *,
        max_waiting: int = MAX_WAITING,
        max_bytes: int = MAX_BYTES,
        min_free: int = MIN_FREE_BYTES,
        draw: Draw | None = thumbnail,
        rest_per_s: float = math.inf,
        on_written: Callable[[], object] = lambda: None,
    ) -> None:
        """Start the thread.

        Args:
            max_waiting, max_bytes: verdicts that wait at most, and bytes of their photos; a photo
                counts with each of its verdicts.
            min_free: bytes of the photos' disk that no photo takes.
            draw: a photo's bytes -> its thumbnail; None: there are none.
            rest_per_s: thumbnails a second of photos that are neither kept nor ask for a review;
                one of a photo of 3000 × 3000 takes some 18 ms of a core.
            on_written: called on the writing thread when some are stored; it must not wait.
        """
        self._records, self._policy, self._draw = records, policy, draw
        self._rest, self._on_written = Pace(rest_per_s), on_written
        self._max_waiting, self._max_bytes, self._min_free = max_waiting, max_bytes, min_free
        self._changed = threading.Condition()
        self._waiting: deque[Draft] = deque()
        # Verdicts since the start: put, done (written or lost), and those that somebody waits for.
        self._put = self._done = self._wanted = 0
        # Of all that is put and not done yet, the batch at work included.
        self._bytes = 0
        self._written = self._photos_kept = self._not_drawn = 0
        self._verdicts, self._photos = Losses("verdicts"), Losses("photos")
        self._closing = False
        self._out_of_time = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def put(self, draft: Draft) -> bool:
        """Have it written soon.

        Returns:
            whether it was taken; what is not is lost, and counted.
        """
        size = len(draft.photo)
        with self._changed:
            if not self._closing and self._has_room(size):
                self._waiting.append(draft)
                self._put += 1
                self._bytes += size
                if draft.verdict == "anomalous":  # somebody may be watching for it
                    self._wanted = self._put
                # Each time that the writer's thread wakes it wants the interpreter.
                if len(self._waiting) == 1 or self._is_due():
                    self._changed.notify_all()
                return True
            closed = self._closing
        if closed:
            self._verdicts.lost("closed", "the recorder is closed")
        else:
            self._verdicts.lost("queue_full", "too many wait to be written")
        return False

    @property
    def state(self) -> RecorderState:
        """What waits, what is written and lost, and whether something is wrong now."""
        troubled = next((one for one in (self._verdicts, self._photos) if one.trouble), None)
        with self._changed:
            return RecorderState(
                waiting=self._number,
                waiting_bytes=self._bytes,
                written=self._written,
                photos_kept=self._photos_kept,
                not_drawn=self._not_drawn + self._rest.refused,
                lost=self._verdicts.counts(),
                photos_lost=self._photos.counts(),
                trouble=troubled.trouble if troubled else None,
                since=troubled.since if troubled else None,
            )

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written that was put before; whether it is."""
        with self._changed:
            wanted = self._put
            self._wanted = max(self._wanted, wanted)
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= wanted, timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Take nothing any more, and write what waits, for so long.

        Returns:
            whether all is written; what is not is lost, and counted.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if not joined([self._thread], time.monotonic() + timeout_s):
            return True
        self._out_of_time.set()
        with self._changed:
            left = self._number
        if left:
            self._verdicts.lost("closed", "no time was left to write them", left)
        return not left

    @property
    def _number(self) -> int:
        """Verdicts that are put and not done yet."""
        return self._put - self._done

    def _is_due(self) -> bool:
        """Whether what waits is to be written now."""
        enough = len(self._waiting) >= _BATCH or self._is_crowded(0)
        return enough or self._closing or self._wanted > self._done

    def _has_room(self, size: int) -> bool:
        return self._number < self._max_waiting and self._bytes + size <= self._max_bytes

    def _is_crowded(self, at_work: int) -> bool:
        """Whether the queue behind the batch at work is more than half full."""
        number = self._number - at_work
        return number > 0 and (2 * number > self._max_waiting or 2 * self._bytes > self._max_bytes)

    def _draw_now(self, at_work: int) -> Draw | None:
        """What draws the thumbnails of a batch: nothing, where verdicts might be lost for them."""
        with self._changed:
            if self._draw is None or not self._is_crowded(at_work):
                return self._draw
            self._not_drawn += at_work
        return None

    def _work(self) -> None:
        while batch := self._next():
            try:
                self._write(entries(batch, self._policy, self._draw_now(len(batch)), self._rest))
            except Exception as exc:  # a fault of ours must not end the recording
                log.exception("verdicts could not be written")
                self._verdicts.lost("refused", repr(exc), len(batch))
            with self._changed:
                self._done += len(batch)
                self._bytes -= sum(len(draft.photo) for draft in batch)
                self._changed.notify_all()

    def _next(self) -> list[Draft]:
        """What waits, once something does; a little later, so that more comes along."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(self._is_due, _GATHER_S)
            if self._out_of_time.is_set():
                return []
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _write(self, batch: Sequence[Entry]) -> None:
        """Write a batch, however long the database does not take it."""
        pause = _FIRST_PAUSE_S
        while not self._out_of_time.is_set():
            try:
                self._write_now(batch)
                return
            except RecordsUnavailable as exc:
                reason: Reason = "disk_full" if isinstance(exc, RecordsFull) else "database"
                self._verdicts.stuck(reason, str(exc))
            self._out_of_time.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _write_now(self, batch: Sequence[Entry]) -> None:
        try:
            kept = write(self._records, batch, self._photos, self._min_free)
        except RecordsUnavailable:
            raise
        except Exception as exc:
            if len(batch) > 1:  # one of them spoils it for the others
                for one in batch:
                    self._write([one])
                return
            self._verdicts.lost("refused", str(exc))
            return
        with self._changed:
            self._written += len(batch)
            self._photos_kept += kept
            is_crowded = self._is_crowded(len(batch))
        self._on_written()
        if not is_crowded:  # else what is lost next belongs to the same episode
            self._verdicts.recovered()

"""The network's threads: who is next, with how many threads, and what is not worth doing.

Photos wait in a queue per category and are taken in turn between them, so that one busy category
does not hold up the others. Background work (evaluations) is taken when nothing else waits.

On a CPU each thread takes one photo at a time: batches gain nothing there, and two photos on a
thread each are done sooner than two in turn on both. A photo that is alone gets all threads. Parts
of one photo come together, and are one pass wherever they share a network. On a
GPU one thread takes all photos that wait, up to a batch, after a short delay for more to come; it
hands their features to threads that search (searches.py), and is at the next pass at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import structlog

from ..core.arrays import Floats
from ..core.crew import NEVER, joined
from ..core.detector import conclusions, embed_together
from ..core.errors import NetworkFailed
from ..core.judging.inspection import Inspection
from ..core.threads import limited_to, thread_budget
from .jobs import Bundle, Judged, PhotoJob, bundles, is_late, is_wanted, runtime
from .searches import Searches

log = structlog.get_logger()

# How fast the estimate of a photo's time follows the last photo.
_SMOOTHING = 0.1


@dataclass(frozen=True)
class _Pass:
    """One pass of the network: when it began and ended (of `time.perf_counter()`), its
    milliseconds per photo, and how many passes there were at once."""

    began: float
    ended: float
    embed_ms: float
    at_once: int


class Scheduler:
    """Runs jobs on `workers` threads.

    Attributes:
        seconds_per_photo: how often a photo gets done while there is work, smoothed.
        failures: photos in a row on which the network itself failed; 0 after one that it judged.
        failure: what the last such failure was.
    """

    def __init__(
        self, workers: int, *, batch: int = 1, delay_s: float = 0.0, searchers: int = 0
    ) -> None:
        """Takes the number of threads; `batch` photos at most per pass, and how long to wait for
        more of them once there is one; and the number of threads that search beside the passes,
        0 where each thread searches itself."""
        self.seconds_per_photo = 0.05
        self.failures = 0
        self.failure: str | None = None
        self._batch, self._delay_s = batch, delay_s
        self._flows: dict[str, deque[Bundle]] = {}  # in the order in which they are served
        self._background: deque[Bundle] = deque()
        self._waiting = 0
        self._running = 0
        self._begun: dict[int, float] = {}  # passes under way, by thread
        self._closed = False
        self._changed = threading.Condition()
        self._budget = thread_budget()
        self._most = workers
        # With one batch still to be searched the next passes; with two, the network waits.
        self._searches = Searches(searchers, room=batch) if searchers else None
        self._threads = [
            threading.Thread(target=self._work, name=f"network-{n}", daemon=True)
            for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def busy_s(self) -> float:
        """Since when the pass has been under way that began first; 0 where there is none."""
        begun = list(self._begun.values())
        return time.monotonic() - min(begun) if begun else 0.0

    def allow(self, passes: int) -> None:
        """At most so many passes at once from now on, and never more than there are threads."""
        with self._changed:
            self._most = max(1, min(passes, len(self._threads)))
            self._changed.notify_all()

    def submit(self, job: PhotoJob) -> Future[list[Judged]]:
        """Queue a job."""
        return self.submit_all([job])[0]

    def submit_all(self, jobs: Sequence[PhotoJob]) -> list[Future[list[Judged]]]:
        """Queue jobs; those that share a network are taken together, as many as fit a pass."""
        with self._changed:
            if self._closed:
                for job in jobs:
                    job.done.cancel()
            else:
                for bundle in bundles(jobs):
                    background, flow = bundle[0].background, bundle[0].flow
                    queue = (
                        self._background if background else self._flows.setdefault(flow, deque())
                    )
                    queue.append(bundle)
                    self._waiting += len(bundle)
                    self._changed.notify()
        return [job.done for job in jobs]

    def stop(self) -> None:
        """Drop what has not started; running jobs go on."""
        with self._changed:
            self._closed = True
            queues = [*self._flows.values(), self._background]
            dropped = [job for queue in queues for bundle in queue for job in bundle]
            self._flows.clear()
            self._background.clear()
            self._changed.notify_all()
        for job in dropped:
            job.done.cancel()

    def close(self, until: float = NEVER) -> list[str]:
        """Stop, and let running jobs finish; the names of the threads that have not by then."""
        self.stop()
        left = joined(self._threads, until)
        return left + (self._searches.close(until) if self._searches is not None else [])

    def _work(self) -> None:
        while (jobs := self._take()) is not None:
            try:
                self._run(jobs)
            finally:
                with self._changed:
                    self._running -= 1
                if self._searches is not None:
                    jobs.clear()  # they are the searches' now
                    self._searches.wait_for_room()

    def _take(self) -> list[PhotoJob] | None:
        """The next jobs, of which the first decides the network: none where another thread was
        quicker; None once closed."""
        with self._changed:
            while not self._closed and (not self._waiting or self._running >= self._most):
                self._changed.wait()
            if self._closed:
                return None
            if self._batch > 1 and self._waiting < self._batch and self._delay_s:
                self._changed.wait_for(lambda: self._waiting >= self._batch, self._delay_s)
            jobs: list[PhotoJob] = []
            while len(jobs) < self._batch and (bundle := self._next(jobs)) is not None:
                jobs.extend(bundle)
                self._waiting -= len(bundle)
            self._running += 1
            return jobs

    def _next(self, with_jobs: Sequence[PhotoJob]) -> Bundle | None:
        for name, flow in list(self._flows.items()):
            if with_jobs and not self._goes_with(with_jobs, flow[0]):
                continue
            bundle = flow.popleft()
            # Served: to the end of the line, or out of it.
            del self._flows[name]
            if flow:
                self._flows[name] = flow
            return bundle
        return self._background.popleft() if self._background and not with_jobs else None

    def _goes_with(self, jobs: Sequence[PhotoJob], bundle: Bundle) -> bool:
        fits = len(jobs) + len(bundle) <= self._batch
        return fits and runtime(bundle[0]) is runtime(jobs[0])

    def _run(self, jobs: Sequence[PhotoJob]) -> None:
        wanted = [job for job in jobs if is_wanted(job)]
        if not wanted:
            return
        start = time.perf_counter()
        # Others at work or waiting: a thread each. Alone: all of them.
        at_once = max(1, min(self._most, self._running + self._waiting))
        try:
            with self._at_work(self._budget // at_once):
                features, embed_ms = embed_together([(job.detectors, job.photo) for job in wanted])
        except BaseException as exc:  # a thread that died would leave the service without one
            self._fail(wanted, exc)
            return
        done = _Pass(start, time.perf_counter(), embed_ms, at_once)
        for job, of_photo in zip(wanted, features, strict=True):
            search = partial(self._search, job, of_photo, done)
            if self._searches is None:
                search()
            else:
                self._searches.hand(search)

    def _search(self, job: PhotoJob, features: Floats, done: _Pass) -> None:
        """From a photo's (P, D) features to the job's end."""
        start = time.perf_counter()
        at_once = done.at_once if self._searches is None else self._searches.at_once
        if self._searches is not None and is_late(job):
            return
        try:
            with self._at_work(self._budget // at_once):
                results = conclusions(job.detectors, job.photo, features, done.embed_ms)
        except BaseException as exc:
            self._fail([job], exc)
            return
        search_s = time.perf_counter() - start
        per_photo = done.embed_ms / 1000 / done.at_once + search_s / at_once
        with self._changed:
            self.failures, self.failure = 0, None
            self.seconds_per_photo += _SMOOTHING * (per_photo - self.seconds_per_photo)
        waited_s = done.began - job.submitted + start - done.ended
        for outcome in results:
            if isinstance(outcome, Inspection):
                outcome.timings_ms["wait"] += waited_s * 1000
        job.done.set_result(results)

    @contextmanager
    def _at_work(self, threads: int) -> Iterator[None]:
        """The calling thread is at work, with so many threads (at least one)."""
        self._begun[threading.get_ident()] = time.monotonic()
        try:
            with limited_to(max(1, threads)):
                yield
        finally:
            del self._begun[threading.get_ident()]

    def _fail(self, jobs: Sequence[PhotoJob], exc: BaseException) -> None:
        told = exc
        # What engines and allocators raise, and what would end the event loop too. All else is a
        # fault of ours: a 500, and no reason to call the network broken.
        if not isinstance(exc, Exception) or isinstance(exc, RuntimeError | MemoryError):
            with self._changed:
                self.failures += len(jobs)
                self.failure = type(exc).__name__
            told = NetworkFailed("the network failed on this photo; the log has the reason")
        for job in jobs:
            job.done.set_exception(told)
        with suppress(Exception):  # nor may a log that cannot be written end the thread
            log.error(
                "the network failed", error=type(exc).__name__, photos=len(jobs), exc_info=exc
            )

"""Who may work, and where: admission, decoding threads, the network's threads."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

from ..core.detector import Detector, Inspection, Photo, or_raise
from ..core.errors import DeadlineExceeded, OutOfMemory, Overloaded
from ..core.judging.anomaly_map import Region
from ..core.threads import available_cpus
from .scheduler import Job, Outcome, Scheduler

T = TypeVar("T")
P = ParamSpec("P")

_NEVER = float("inf")
_TRIED_S = 10.0


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a photo's map exceeds the threshold, and the overlay PNG if it was asked for.

    Attributes:
        ms: what drawing took.
    """

    regions: Sequence[Region]
    overlay: bytes | None
    ms: float


class Workers:
    """Runs photos off the event loop, and refuses them when `queue_size` are in work or waiting."""

    def __init__(
        self, queue_size: int, *, network_threads: int = 1, batch: int = 1, delay_s: float = 0.0
    ) -> None:
        """Takes the places in the queue and, for the network, what `Scheduler` takes."""
        self.queue_size = queue_size
        self.depth = 0
        self.scheduler = Scheduler(network_threads, batch=batch, delay_s=delay_s)
        self._decoders = ThreadPoolExecutor(available_cpus(), thread_name_prefix="decode")

    @asynccontextmanager
    async def admit(self, photos: int = 1) -> AsyncIterator[None]:
        """Hold places for `photos` photos.

        Raises:
            Overloaded: fewer places are free.
        """
        self.check(photos)
        self.depth += photos
        try:
            yield
        finally:
            self.depth -= photos

    def check(self, photos: int = 1) -> None:
        """Refuse before any work is done.

        Raises:
            Overloaded: fewer than `photos` places are free. A batch larger than the whole queue
                is let in when nothing else waits, since it could never be otherwise.
        """
        if self.depth and self.depth + photos > self.queue_size:
            seconds = max(1, math.ceil(self.depth * self.scheduler.seconds_per_photo))
            raise Overloaded(
                f"{self.depth} photos are in work or waiting; come back in {seconds} s", seconds
            )

    async def read(self, detector: Detector, data: bytes, deadline: float = _NEVER) -> Photo:
        """Decode one photo on a decoding thread.

        Raises:
            ImageError: the photo cannot be judged. DeadlineExceeded: too late to begin.
            OutOfMemory.
        """
        submitted = time.perf_counter()
        held = [data]
        del data

        def read() -> Photo:
            if time.monotonic() >= deadline:
                raise DeadlineExceeded("the time for this photo was over before it was decoded")
            waited_ms = (time.perf_counter() - submitted) * 1000
            return replace(detector.read(held[0]), waited_ms=waited_ms)

        try:
            return await _on(self._decoders, read)
        except MemoryError as exc:
            raise OutOfMemory("too little memory to decode this photo now") from exc
        except asyncio.CancelledError:
            held.clear()  # what is cancelled stays in the pool's queue until its turn comes
            raise

    async def judge(
        self,
        detectors: Sequence[Detector],
        photos: Sequence[Photo],
        deadline: float = _NEVER,
    ) -> list[list[Outcome]]:
        """Score photos on the network's threads, each by all detectors, which share a network.

        `timings_ms` gains `wait`, the time spent in queues.

        Raises:
            DeadlineExceeded: a photo's turn came too late. NetworkFailed.
        """
        jobs = [Job(detectors, photo, deadline) for photo in photos]
        futures = [self.scheduler.submit(job) for job in jobs]
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, futures))
        except BaseException:
            for future in futures:  # nobody waits for the others any more
                future.cancel()
            raise

    async def picture(
        self, detector: Detector, data: bytes, inspection: Inspection, *, heatmap: bool
    ) -> Picture:
        """Regions, and with `heatmap` the overlay, drawn on a decoding thread.

        Raises:
            OutOfMemory.
        """
        start = time.perf_counter()

        def draw() -> Picture:
            overlay = detector.overlay(data, inspection) if heatmap else None
            regions = detector.regions(inspection)
            return Picture(regions, overlay, (time.perf_counter() - start) * 1000)

        if not heatmap and not inspection.is_anomalous:
            return Picture((), None, 0.0)
        try:
            return await _on(self._decoders, draw)
        except MemoryError as exc:
            raise OutOfMemory("too little memory to draw this photo's map now") from exc

    def inspect(self, detector: Detector, data: bytes) -> Inspection:
        """The same for a background job's own thread: one photo at a time, after all requests.

        Raises:
            ImageError: the photo cannot be judged. NetworkFailed.
        """
        job = Job((detector,), detector.read(data), background=True)
        done: Future[list[Outcome]] = self.scheduler.submit(job)
        return or_raise(done.result()[0])

    def try_again(self, detectors: Iterable[Detector]) -> None:
        """Judge a golden photo of each bank, so that `scheduler.failures` says how it is now. A
        network that hangs is not waited for: `scheduler.busy_s` shows it."""
        for detector in detectors:
            if self.scheduler.busy_s > _TRIED_S:
                return
            job = Job((detector,), detector.golden_photo(), time.monotonic() + _TRIED_S)
            with suppress(TimeoutError, CancelledError):
                self.scheduler.submit(job).exception(_TRIED_S)

    def close(self) -> None:
        """Let running work finish; drop what has not started."""
        self._decoders.shutdown(wait=True, cancel_futures=True)
        self.scheduler.close()


async def _on(
    pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    return await asyncio.wrap_future(pool.submit(function, *args, **kwargs))

"""Who may work, and where: admission, decoding threads, the one thread of the network."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

from app.core.anomaly_map import Region
from app.core.detector import Detector, Inspection, Photo
from app.core.errors import NonFiniteScore, Overloaded
from app.core.threads import available_cpus

T = TypeVar("T")
P = ParamSpec("P")

# How fast the estimate of a photo's time follows the last photo.
_SMOOTHING = 0.1


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a photo's map exceeds the threshold, and the overlay PNG if it was asked for."""

    regions: Sequence[Region]
    overlay: bytes | None


class Workers:
    """Runs photos off the event loop, and refuses them when `queue_size` are in work or waiting.

    Photos are decoded by several threads; network and search run on one, which uses all cores
    itself: two at a time would only fight for them.
    """

    def __init__(self, queue_size: int) -> None:
        self.queue_size = queue_size
        self.depth = 0
        self._seconds_per_photo = 0.05
        self._decoders = ThreadPoolExecutor(available_cpus(), thread_name_prefix="decode")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="network")

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
            seconds = max(1, math.ceil(self.depth * self._seconds_per_photo))
            raise Overloaded(
                f"{self.depth} photos are in work or waiting; come back in {seconds} s", seconds
            )

    async def read(self, detector: Detector, data: bytes) -> Photo:
        """Decode one photo on a decoding thread.

        Raises:
            ImageError: the photo cannot be judged.
        """
        return await _on(self._decoders, detector.read, data)

    async def judge(
        self, detector: Detector, photos: Sequence[Photo]
    ) -> list[Inspection | NonFiniteScore]:
        """Score photos on the network's thread; `timings_ms` gains `wait`, the time until then."""
        return await _on(self._network, self._judge, detector, photos, time.perf_counter())

    async def picture(
        self, detector: Detector, data: bytes, inspection: Inspection, *, heatmap: bool
    ) -> Picture:
        """Regions, and with `heatmap` the overlay, drawn on a decoding thread."""

        def draw() -> Picture:
            overlay = detector.overlay(data, inspection) if heatmap else None
            return Picture(detector.regions(inspection), overlay)

        if not heatmap and not inspection.is_anomalous:
            return Picture((), None)
        return await _on(self._decoders, draw)

    def inspect(self, detector: Detector, data: bytes) -> Inspection:
        """The same for a background job's own thread: one photo at a time, in turn with requests.

        Raises:
            ImageError: the photo cannot be judged.
        """
        photo = detector.read(data)
        future = self._network.submit(self._judge, detector, [photo], time.perf_counter())
        return or_raise(future.result()[0])

    def close(self) -> None:
        """Let running work finish; drop what has not started."""
        self._decoders.shutdown(wait=True, cancel_futures=True)
        self._network.shutdown(wait=True, cancel_futures=True)

    def _judge(
        self, detector: Detector, photos: Sequence[Photo], submitted: float
    ) -> list[Inspection | NonFiniteScore]:
        start = time.perf_counter()
        inspections = _judge_each(detector, photos)
        per_photo = (time.perf_counter() - start) / len(photos)
        self._seconds_per_photo += _SMOOTHING * (per_photo - self._seconds_per_photo)
        wait_ms = (start - submitted) * 1000
        return [
            replace(i, timings_ms=i.timings_ms | {"wait": wait_ms})
            if isinstance(i, Inspection)
            else i
            for i in inspections
        ]


def or_raise(outcome: Inspection | NonFiniteScore) -> Inspection:
    """The inspection, or the error in its place raised."""
    if isinstance(outcome, NonFiniteScore):
        raise outcome
    return outcome


def _judge_each(
    detector: Detector, photos: Sequence[Photo]
) -> Sequence[Inspection | NonFiniteScore]:
    """All at once; where one photo spoils the batch, each alone, so that only that one fails."""
    try:
        return detector.judge(photos)
    except NonFiniteScore as exc:
        if len(photos) == 1:
            return [exc]
        return [outcome for photo in photos for outcome in _judge_each(detector, [photo])]


async def _on(
    pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    return await asyncio.wrap_future(pool.submit(function, *args, **kwargs))

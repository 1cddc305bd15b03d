"""The one door: a photo's bytes, who is asked about it, until when -> what was found.

Whoever wants a photo judged asks here: single photos, batches, several categories, evaluations. It
knows neither HTTP nor JSON. A photo's way, and where it runs:

    admit    event loop         places in the queue, or Overloaded; the permit is passed on
    read     decoding threads   decode once, and prepare for each network that is asked
    judge    network threads    embed once, then each category's score and verdict (scheduler.py)
    draw     drawing threads    regions, and the overlay on the picture that was decoded

What a photo costs is counted where it is admitted: a place for each network that looks at it, and
with overlays one for each category, since each draws its own.

Drawing has threads of its own, since threads that decode wait for room (`IN_WORK`), and pictures
that wait to be drawn on are what takes it up: in one pool they could wait for each other.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from ..core.crew import NEVER
from ..core.detector import Detector, read_for
from ..core.errors import CategoryUnavailable, ImageError, NonFiniteScore, Overloaded
from ..core.judging.anomaly_map import Region
from ..core.judging.backdrop import Backdrop
from ..core.judging.inspection import Inspection, Photo, or_raise
from .metrics import Metrics
from .networks import by_network
from .permit import Permit
from .pool import Pool, all_of
from .scheduler import Judged, PhotoJob, Scheduler

_TRIED_S = 10.0


@dataclass(frozen=True)
class Finding:
    """What one category says of one photo.

    Attributes:
        regions: where the map exceeds the threshold; empty for normal photos.
        overlay: a PNG, where it was asked for and the method has maps.
        timings_ms: the inspection's, and `map`, the drawing.
    """

    detector: Detector
    inspection: Inspection
    regions: Sequence[Region]
    overlay: bytes | None
    timings_ms: dict[str, float]


# What is said in its place where the photo cannot be judged; any other error ends the request.
Unusable = ImageError | NonFiniteScore
Found = Finding | Unusable


class Inspector:
    """Judges photos off the event loop, and refuses them when `queue_size` are in work or waiting.

    Attributes:
        depth: photos in work or waiting.
    """

    def __init__(
        self,
        metrics: Metrics,
        queue_size: int,
        *,
        network_threads: int = 1,
        batch: int = 1,
        delay_s: float = 0.0,
        searchers: int = 0,
    ) -> None:
        """Takes the places in the queue and, for the network, what `Scheduler` takes."""
        self.queue_size = queue_size
        self.depth = 0
        self.scheduler = Scheduler(
            network_threads, batch=batch, delay_s=delay_s, searchers=searchers
        )
        self._network_threads = network_threads
        self._decoding, self._drawing = Pool("decode"), Pool("draw")
        self._metrics = metrics
        metrics.queue_size.set(queue_size)
        metrics.queue_depth.set(0)

    def suit(self, detectors: Iterable[Detector]) -> None:
        """Arrange the network's threads for the banks that serve now; on any thread."""
        # An engine that uses all cores for each photo gets one at a time: two would fight for them.
        side_by_side = all(detector.extractor.runtime.concurrent for detector in detectors)
        self.scheduler.allow(self._network_threads if side_by_side else 1)

    @contextmanager
    def admit(
        self, detectors: Collection[Detector], photos: int = 1, *, heatmap: bool = False
    ) -> Iterator[Permit]:
        """Hold `places` for each of so many photos.

        Raises:
            Overloaded: fewer places are free.
        """
        networks = by_network(detectors)
        places = self.places(detectors, heatmap=heatmap) * photos
        self.check(places)
        self._hold(places)
        permit = Permit(networks, photos)
        try:
            yield permit
        finally:
            permit.end()
            self._hold(-places)

    def _hold(self, places: int) -> None:
        self.depth += places
        self._metrics.queue_depth.set(self.depth)

    def places(self, detectors: Collection[Detector], *, heatmap: bool = False) -> int:
        """How many places a photo takes: one at least."""
        return max(1, len(detectors if heatmap else by_network(detectors)))

    def check(self, places: int = 1) -> None:
        """Refuse before any work is done; costs nothing, and holds nothing.

        Raises:
            Overloaded: fewer than `places` places are free. A batch larger than the whole queue
                is let in when nothing else waits, since it could never be otherwise.
        """
        if self.depth and self.depth + places > self.queue_size:
            seconds = max(1, math.ceil(self.depth * self.scheduler.seconds_per_photo))
            raise Overloaded(
                f"{self.depth} photos are in work or waiting; come back in {seconds} s", seconds
            )

    async def inspect(
        self, permit: Permit, data: bytes, *, until: float = NEVER, heatmap: bool = False
    ) -> dict[str, Found]:
        """Judge one photo: per category what was found, or why it cannot be judged.

        Cancelling it drops what has not begun.

        Args:
            until: of `time.monotonic()`, after which nobody wants the answer.
            heatmap: draw overlays, too.

        Raises:
            DeadlineExceeded, NetworkFailed, OutOfMemory.
        """
        networks = permit.use()
        self._metrics.photo_bytes.observe(len(data))
        found = await self._by(networks, data, until, heatmap=heatmap) if networks else {}
        for category, one in found.items():
            if isinstance(one, Finding):
                self._metrics.judged(category, one.inspection, one.timings_ms)
            else:
                self._metrics.unusable(category)
        return found

    async def inspect_all(
        self, permit: Permit, photos: Iterable[bytes], *, until: float, heatmap: bool
    ) -> list[dict[str, Found]]:
        """Judge several photos, in order; the first error that `inspect` raises ends the rest."""
        return await all_of(
            [self.inspect(permit, data, until=until, heatmap=heatmap) for data in photos]
        )

    def inspect_in_background(self, detector: Detector, data: bytes) -> Inspection:
        """One photo for a background job's own thread, after all requests: it needs no permit,
        since it takes no place, and the metrics count no verdict.

        Raises:
            ImageError, NonFiniteScore: the photo cannot be judged. NetworkFailed.
            CategoryUnavailable: the service stops.
        """
        job = PhotoJob((detector,), detector.read(data), background=True)
        done: Future[list[Judged]] = self.scheduler.submit(job)
        try:
            return or_raise(done.result()[0])
        except CancelledError as exc:
            raise CategoryUnavailable("the service is stopping") from exc

    def try_again(self, detectors: Iterable[Detector]) -> None:
        """Judge a golden photo of each bank, so that `scheduler.failures` says how it is now. A
        network that hangs is not waited for: `scheduler.busy_s` shows it."""
        for detector in detectors:
            if self.scheduler.busy_s > _TRIED_S:
                return
            job = PhotoJob((detector,), detector.golden_photo(), time.monotonic() + _TRIED_S)
            with suppress(TimeoutError, CancelledError):
                self.scheduler.submit(job).exception(_TRIED_S)

    def close(self, until: float = NEVER) -> list[str]:
        """Drop what has not started, and wait until then for what runs.

        Returns:
            the names of the threads that are still at work.
        """
        parts = (self._decoding, self._drawing, self.scheduler)
        for part in parts:
            part.stop()
        return [name for part in parts for name in part.close(until)]

    async def _by(
        self, networks: Sequence[Sequence[Detector]], data: bytes, until: float, *, heatmap: bool
    ) -> dict[str, Found]:
        """One photo by several networks: those that share the first one's decode, and the rest."""
        start = time.perf_counter()
        first = [detectors[0] for detectors in networks]
        read = partial(read_for, first, data, for_overlay=heatmap)
        try:
            photos = await self._decoding.run(read, until=until, unwanted=_release)
        except ImageError as exc:
            return {one.manifest.category: exc for network in networks for one in network}
        waited_ms = _ms_since(start)
        both = list(zip(networks, photos, strict=True))
        work = [self._passes([(n, p) for n, p in both if p is not None], waited_ms, until)]
        if rest := [network for network, photo in both if photo is None]:
            work.append(self._by(rest, data, until, heatmap=heatmap))
        try:
            return _together(await all_of(work))
        finally:
            _release(photos)  # again: what is cancelled before it begins lets go of nothing

    async def _passes(
        self, read: Sequence[tuple[Sequence[Detector], Photo]], read_ms: float, until: float
    ) -> dict[str, Found]:
        """What each network says of its photo; then the backdrop that they share is let go: the
        rest may be waiting for its room."""
        try:
            return _together(await all_of([self._pass(*one, read_ms, until) for one in read]))
        finally:
            _release([photo for _, photo in read])

    async def _pass(
        self, detectors: Sequence[Detector], photo: Photo, read_ms: float, until: float
    ) -> dict[str, Found]:
        """One photo by detectors of one network: embedded once for all of them."""
        waited_ms = max(0.0, read_ms - photo.decode_ms)
        # The job may lie in the queue for a while after it was cancelled: without the backdrop.
        job = PhotoJob(detectors, replace(photo, waited_ms=waited_ms, backdrop=None), until)
        judged = await asyncio.wrap_future(self.scheduler.submit(job))
        return {
            detector.manifest.category: await self._found(detector, outcome, photo.backdrop)
            for detector, outcome in zip(detectors, judged, strict=True)
        }

    async def _found(self, detector: Detector, outcome: Judged, backdrop: Backdrop | None) -> Found:
        if isinstance(outcome, NonFiniteScore):
            return outcome
        inspection = or_raise(outcome)
        start = time.perf_counter()
        regions: Sequence[Region] = ()
        overlay, map_ms = None, 0.0
        if backdrop is not None or inspection.is_anomalous:
            draw = partial(_draw, detector, inspection, backdrop)
            regions, overlay = await self._drawing.run(draw)
            map_ms = _ms_since(start)
        return Finding(
            detector, inspection, regions, overlay, inspection.timings_ms | {"map": map_ms}
        )


def _draw(
    detector: Detector, inspection: Inspection, backdrop: Backdrop | None
) -> tuple[list[Region], bytes | None]:
    overlay = detector.overlay(backdrop, inspection) if backdrop is not None else None
    return detector.regions(inspection), overlay


def _together(parts: Iterable[dict[str, Found]]) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for part in parts:
        found |= part
    return found


def _release(photos: Sequence[Photo | None]) -> None:
    for photo in photos:
        if photo is not None and photo.backdrop is not None:
            photo.backdrop.release()


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000

"""The one door: a photo's bytes, who is asked about it, until when -> what was found.

Whoever wants a photo judged asks here: single photos, batches, several categories, evaluations. It
knows neither HTTP nor JSON. A photo's way, and where it runs:

    admit    event loop         places in the queue, or Overloaded; the permit is passed on
    read     decoding threads   decode once, and prepare for each network that is asked
    judge    network threads    embed once, then each category's score and verdict (scheduler.py)
    draw     drawing threads    regions, the overlay on the picture that was decoded,
                                the nearest good patches

What a photo costs is counted where it is admitted: a place for each network that looks at it, and
with overlays or explanations one for each category, since each draws its own. Where a photo shows
several places of a shelf, each of them is a photo to the network, and costs as one.

Drawing has threads of its own, since threads that decode wait for room (`IN_WORK`), and pictures
that wait to be drawn on are what takes it up: in one pool they could wait for each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ..core.crew import NEVER
from ..core.detector import Detector, read_for
from ..core.errors import CategoryUnavailable, ImageError
from ..core.judging.anomaly_map import Region
from ..core.judging.backdrop import Backdrop
from ..core.judging.inspection import Inspection, Photo, or_raise
from .admission import Admission
from .findings import Finding, Found, Unusable, draw
from .jobs import Judged, PhotoJob
from .metrics import Metrics
from .permit import Asked, Permit
from .pool import Pool, all_of
from .scheduler import Scheduler

_TRIED_S = 10.0


class Inspector(Admission):
    """Judges photos off the event loop, those that it has admitted."""

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
        self.scheduler = Scheduler(
            network_threads, batch=batch, delay_s=delay_s, searchers=searchers
        )
        super().__init__(metrics, queue_size, lambda: self.scheduler.seconds_per_photo)
        self._network_threads = network_threads
        self._decoding, self._drawing = Pool("decode"), Pool("draw")

    def suit(self, detectors: Iterable[Detector]) -> None:
        """Arrange the network's threads for the banks that serve now; on any thread."""
        # An engine that uses all cores for each photo gets one at a time: two would fight for them.
        side_by_side = all(detector.extractor.runtime.concurrent for detector in detectors)
        self.scheduler.allow(self._network_threads if side_by_side else 1)

    async def inspect(
        self,
        permit: Permit,
        data: bytes,
        *,
        until: float = NEVER,
        heatmap: bool = False,
        explain: bool = False,
        is_counted: bool = True,
    ) -> dict[str, Found]:
        """Judge one photo: per category what was found, or why it cannot be judged.

        Cancelling it drops what has not begun.

        Args:
            until: of `time.monotonic()`, after which nobody wants the answer.
            heatmap: draw overlays, too. explain: find the nearest good patches, too.
            is_counted: in the metrics, as a photo that was judged.

        Raises:
            DeadlineExceeded, NetworkFailed, OutOfMemory.
        """
        asked = permit.use()
        found = await self._by(asked, data, until, heatmap=heatmap, explain=explain)
        if is_counted:
            self._count(data, asked, found)
        return {
            detector.manifest.category: one
            for of_one, outcomes in zip(asked, found, strict=True)
            for detector, one in zip(of_one.detectors, outcomes, strict=True)
        }

    async def inspect_parts(
        self,
        permit: Permit,
        data: bytes,
        *,
        until: float = NEVER,
        heatmap: bool = False,
        explain: bool = False,
    ) -> list[Found]:
        """Judge parts of one photo, in order: decoded once, at a scale that suffices for all, and
        those of one network in one pass.

        Args:
            permit: from `admit_parts`.
            until, heatmap, explain: as `inspect`.

        Raises:
            As `inspect`.
        """
        asked = permit.use()
        found = await self._by(asked, data, until, heatmap=heatmap, explain=explain, at_once=True)
        self._count(data, asked, found)
        return [one for outcomes in found for one in outcomes]

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

    def _count(self, data: bytes, asked: Sequence[Asked], found: Sequence[Sequence[Found]]) -> None:
        self._metrics.photo_bytes.observe(len(data))
        for of_one, outcomes in zip(asked, found, strict=True):
            for detector, one in zip(of_one.detectors, outcomes, strict=True):
                category = detector.manifest.category
                if isinstance(one, Finding):
                    self._metrics.judged(category, one.inspection, one.timings_ms)
                else:
                    self._metrics.unusable(category)

    async def _by(
        self,
        asked: Sequence[Asked],
        data: bytes,
        until: float,
        *,
        heatmap: bool,
        explain: bool,
        at_once: bool = False,
    ) -> list[list[Found]]:
        """One photo by several networks: those that share the first one's decode, and the rest."""
        if not asked:
            return []
        start = time.perf_counter()
        first, views = [one.detectors[0] for one in asked], [one.view for one in asked]
        read = partial(read_for, first, data, views=views, at_once=at_once, for_overlay=heatmap)
        try:
            photos = await self._decoding.run(read, until=until, unwanted=_release)
        except ImageError as exc:
            return [[exc] * len(one.detectors) for one in asked]
        waited_ms = _ms_since(start)
        both = [(one, photo) for one, photo in zip(asked, photos, strict=True) if photo is not None]
        work = [self._passes(both, waited_ms, until, explain=explain)]
        if rest := [one for one, photo in zip(asked, photos, strict=True) if photo is None]:
            work.append(
                self._by(rest, data, until, heatmap=heatmap, explain=explain, at_once=at_once)
            )
        try:
            here, *there = [iter(part) for part in await all_of(work)]
        finally:
            _release(photos)  # again: what is cancelled before it begins lets go of nothing
        return [next(there[0] if photo is None else here) for photo in photos]

    async def _passes(
        self,
        read: Sequence[tuple[Asked, Photo]],
        read_ms: float,
        until: float,
        *,
        explain: bool,
    ) -> list[list[Found]]:
        """What is said of each part; then the backdrop that they share is let go: the rest may be
        waiting for its room."""
        jobs = [
            # It may lie in the queue for a while after it was cancelled: without the backdrop.
            PhotoJob(
                one.detectors,
                replace(photo, waited_ms=max(0.0, read_ms - photo.decode_ms), backdrop=None),
                until,
            )
            for one, photo in read
        ]
        judged = [asyncio.wrap_future(done) for done in self.scheduler.submit_all(jobs)]
        try:
            return await all_of(
                [
                    self._findings(one.detectors, done, photo.backdrop, explain=explain)
                    for (one, photo), done in zip(read, judged, strict=True)
                ]
            )
        finally:
            _drop(judged)
            _release([photo for _, photo in read])

    async def _findings(
        self,
        detectors: Sequence[Detector],
        judged: asyncio.Future[list[Judged]],
        backdrop: Backdrop | None,
        *,
        explain: bool,
    ) -> list[Found]:
        return [
            await self._found(detector, outcome, backdrop, explain=explain)
            for detector, outcome in zip(detectors, await judged, strict=True)
        ]

    async def _found(
        self, detector: Detector, outcome: Judged, backdrop: Backdrop | None, *, explain: bool
    ) -> Found:
        if isinstance(outcome, Unusable):
            return outcome
        inspection = or_raise(outcome)
        start = time.perf_counter()
        regions: Sequence[Region] = ()
        overlay, explanation, map_ms = None, None, 0.0
        if backdrop is not None or explain or inspection.is_anomalous:
            drawing = partial(draw, detector, inspection, backdrop, explained=explain)
            regions, overlay, explanation = await self._drawing.run(drawing)
            map_ms = _ms_since(start)
        timings_ms = inspection.timings_ms | {"map": map_ms}
        return Finding(detector, inspection, regions, overlay, timings_ms, explanation)


def _drop(judged: Sequence[asyncio.Future[list[Judged]]]) -> None:
    """What has not begun is not done; and nobody asks any more what the others' faults were."""
    for one in judged:
        if not one.cancel() and not one.cancelled():
            one.exception()


def _release(photos: Sequence[Photo | None]) -> None:
    for photo in photos:
        if photo is not None and photo.backdrop is not None:
            photo.backdrop.release()


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000

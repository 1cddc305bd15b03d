from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from app.core import detector as core_detector
from app.core.crew import NEVER
from app.core.detector import Detector
from app.core.errors import DeadlineExceeded, NetworkFailed, NotAnImage, Overloaded
from app.core.features.extractor import FeatureExtractor
from app.core.judging import backdrop
from app.core.photo import images
from app.core.photo.box import Box
from app.core.photo.images import IN_WORK, DecodedImage, decode
from app.core.photo.pixel_budget import PixelBudget
from app.core.photo.view import View
from app.core.store.artifact import Artifact
from app.core.threads import set_threads
from app.service.findings import Finding, Found
from app.service.inspector import Inspector
from app.service.metrics import Metrics
from tests.support import (
    ColourRuntime,
    colour_extractor,
    encode,
    make_artifact,
    make_detector,
    plain,
)
from tests.unit.core.features.test_patches import CellRuntime, built, spotted, striped
from tests.unit.service.test_scheduler import searched_slowly

pytestmark = pytest.mark.anyio

TIMEOUT = 20
PHOTO = encode(plain(120))
PLACES = 3


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def inspector(metrics: Metrics) -> Iterator[Inspector]:
    made = Inspector(metrics, PLACES)
    yield made
    made.close()


def slowed(before: Callable[[], object]) -> Detector:
    return Detector(make_artifact(), colour_extractor(before=before))


@cache
def _patches() -> Artifact:
    with TemporaryDirectory() as root:
        return built(Path(root)).artifact


class GatedCells(CellRuntime):
    """A method with maps, and a hook before each pass."""

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.before()
        return super().forward(batch)


def patches(before: Callable[[], object] = lambda: None) -> Detector:
    artifact = _patches()
    spec = artifact.manifest.features
    return Detector(artifact, FeatureExtractor(spec, GatedCells(before, spec)))


async def ask(
    inspector: Inspector,
    detector: Detector,
    data: bytes = PHOTO,
    *,
    until: float = NEVER,
    heatmap: bool = False,
) -> Found:
    with inspector.admit([detector]) as permit:
        found = await inspector.inspect(permit, data, until=until, heatmap=heatmap)
    return found[detector.manifest.category]


async def finding(inspector: Inspector, detector: Detector, data: bytes = PHOTO) -> Finding:
    found = await ask(inspector, detector, data, heatmap=True)
    assert isinstance(found, Finding)
    return found


@asynccontextmanager
async def cancelled_in_the_end(task: asyncio.Task[Found]) -> AsyncIterator[None]:
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():
            await asyncio.sleep(0.001)


async def test_places_are_held_and_given_back(inspector: Inspector) -> None:
    with inspector.admit([make_detector()], 2):
        assert inspector.depth == 2
    assert inspector.depth == 0


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
async def test_places_are_given_back_whatever_happens(
    inspector: Inspector, error: type[BaseException]
) -> None:
    with pytest.raises(error), inspector.admit([make_detector()], 2):
        raise error
    assert inspector.depth == 0


async def test_refusals_are_counted_for_a_while(inspector: Inspector) -> None:
    assert inspector.refused(60) == 0
    with inspector.admit([make_detector()]):
        for _ in range(3):
            with pytest.raises(Overloaded):
                inspector.check(inspector.queue_size)
    assert inspector.refused(60) == 3
    assert inspector.refused(0) == 0


async def test_a_full_queue_refuses_and_says_when_to_come_back(inspector: Inspector) -> None:
    with (
        inspector.admit([make_detector()], PLACES),
        pytest.raises(Overloaded, match="3 photos") as caught,
    ):
        inspector.check()
    assert caught.value.retry_after >= 1


@pytest.mark.parametrize(("held", "asked", "fits"), [(2, 1, True), (2, 2, False), (1, 2, True)])
async def test_a_batch_needs_places_for_all_its_photos(
    inspector: Inspector, held: int, asked: int, fits: bool
) -> None:
    detector = make_detector()
    with inspector.admit([detector], held):
        if fits:
            with inspector.admit([detector], asked):
                assert inspector.depth == held + asked
        else:
            with pytest.raises(Overloaded), inspector.admit([detector], asked):
                pass
    assert inspector.depth == 0


async def test_a_batch_larger_than_the_queue_is_let_in_when_nothing_waits(
    inspector: Inspector,
) -> None:
    with inspector.admit([make_detector()], 50), pytest.raises(Overloaded):
        inspector.check()


async def test_a_place_is_needed_for_each_network(inspector: Inspector) -> None:
    network = colour_extractor()
    shared = [Detector(make_artifact(name), network) for name in ("can", "box")]
    with inspector.admit([*shared, make_detector(category="jar")]):
        assert inspector.depth == 2
    with inspector.admit([]) as permit:  # of categories none of which serves
        assert inspector.depth == 1
        assert await inspector.inspect(permit, PHOTO) == {}


async def test_parts_of_a_photo_need_a_place_each_and_share_a_pass(inspector: Inspector) -> None:
    passes: list[int] = []
    network = colour_extractor(before=lambda: passes.append(1))
    can, box = (Detector(make_artifact(name), network) for name in ("can", "box"))
    left, right = View(Box(0, 0, 0.5, 1)), View(Box(0.5, 0, 1, 1))
    picture = plain(120)
    picture.paste((255, 0, 0), (0, 0, 20, 30))
    with inspector.admit_parts([(can, right), (box, left), (can, left)]) as permit:
        assert inspector.depth == 3
        found = await inspector.inspect_parts(permit, encode(picture))
        with pytest.raises(RuntimeError):
            await inspector.inspect_parts(permit, PHOTO)
    assert inspector.depth == 0
    assert passes == [1]
    told = [(one.detector.manifest.category, one.inspection.verdict) for one in found]  # type: ignore[union-attr]
    assert told == [("can", "normal"), ("box", "anomalous"), ("can", "anomalous")]
    with inspector.admit_parts([]) as permit:
        assert (inspector.depth, await inspector.inspect_parts(permit, PHOTO)) == (1, [])


async def test_parts_are_decoded_at_a_scale_that_suffices_for_all(
    inspector: Inspector, of_several_scales: list[Detector], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int] | None] = []

    def counted(data: bytes, **options: Any) -> DecodedImage:
        seen.append(options["at_least"])
        return decode(data, **options)

    monkeypatch.setattr(core_detector, "decode", counted)
    data = encode(striped(111).resize((640, 480)), "JPEG")
    views = [View(Box(0, 0, 0.5, 1)), View(), View(Box(0.5, 0.75, 1, 1))]
    detectors = of_several_scales[: len(views)]
    with inspector.admit_parts(list(zip(detectors, views, strict=True))) as permit:
        found = await inspector.inspect_parts(permit, data, heatmap=True)
    wanted = [
        view.at_least(one.extractor.at_least()) for one, view in zip(detectors, views, strict=True)
    ]
    assert seen == [None if None in wanted else tuple(map(max, zip(*wanted, strict=True)))]
    assert all(isinstance(one, Finding) and one.overlay for one in found)
    assert IN_WORK._free == 2 * images.MAX_PIXELS


async def test_with_overlays_each_category_needs_a_place(inspector: Inspector) -> None:
    network = colour_extractor()
    shared = [Detector(make_artifact(name), network) for name in ("can", "box")]
    with inspector.admit(shared, heatmap=True):
        assert inspector.depth == 2
        with pytest.raises(Overloaded), inspector.admit(shared, heatmap=True):
            pass
        with inspector.admit(shared):
            assert inspector.depth == 3


async def test_a_permit_is_for_so_many_photos(inspector: Inspector) -> None:
    with inspector.admit([make_detector()], 2) as permit:
        await inspector.inspect_all(permit, [PHOTO, PHOTO], until=NEVER, heatmap=False)
        with pytest.raises(RuntimeError, match="admitted no photo more"):
            await inspector.inspect(permit, PHOTO)
    with inspector.admit([make_detector()]) as ended:
        pass
    with pytest.raises(RuntimeError, match="admitted no photo more"):
        await inspector.inspect(ended, PHOTO)


async def test_photos_are_judged_as_by_the_detector_itself(inspector: Inspector) -> None:
    detector = make_detector()
    found = await finding(inspector, detector)
    assert found.inspection.score == detector.inspect(PHOTO).score
    assert found.detector is detector
    assert set(found.timings_ms) == {"decode", "wait", "embed", "search", "map"}
    assert min(found.timings_ms.values()) >= 0


async def test_detectors_of_one_network_share_its_pass(inspector: Inspector) -> None:
    passes: list[int] = []
    network = colour_extractor(before=lambda: passes.append(1))
    both = [Detector(make_artifact(name), network) for name in ("can", "box")]
    with inspector.admit(both) as permit:
        found = await inspector.inspect(permit, PHOTO)
    assert list(found) == ["can", "box"]
    assert all(isinstance(one, Finding) for one in found.values())
    assert passes == [1]


async def test_a_photo_that_cannot_be_judged_is_found_so(
    inspector: Inspector, metrics: Metrics
) -> None:
    assert isinstance(await ask(inspector, make_detector(), b"no image"), NotAnImage)
    unusable = {"category": "can", "verdict": "unusable"}
    assert metrics.registry.get_sample_value("goodsguard_verdicts_total", unusable) == 1


async def test_verdicts_and_stages_are_counted(inspector: Inspector, metrics: Metrics) -> None:
    await ask(inspector, make_detector())
    seen = metrics.registry.get_sample_value
    assert seen("goodsguard_verdicts_total", {"category": "can", "verdict": "normal"}) == 1
    assert seen("goodsguard_photo_bytes_sum") == len(PHOTO)
    assert seen("goodsguard_photo_pixels_sum") == 40 * 30
    for stage in ("decode", "wait", "embed", "search", "map"):
        assert seen("goodsguard_stage_seconds_count", {"stage": stage}) == 1


async def test_the_network_sees_one_photo_at_a_time(inspector: Inspector) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def enter() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    with inspector.admit([slowed(enter)], 6) as permit:
        await inspector.inspect_all(permit, [PHOTO] * 6, until=NEVER, heatmap=False)
    assert most == 1


async def test_the_event_loop_turns_while_the_network_works(inspector: Inspector) -> None:
    entered, release = threading.Event(), threading.Event()

    def before() -> None:
        entered.set()
        assert release.wait(TIMEOUT)

    judging = asyncio.create_task(ask(inspector, slowed(before)))
    assert await asyncio.to_thread(entered.wait, TIMEOUT)
    assert not judging.done()
    release.set()
    assert isinstance(await judging, Finding)


async def test_a_background_thread_takes_its_turn_and_counts_nothing(
    inspector: Inspector, metrics: Metrics
) -> None:
    detector = make_detector()
    inspection = await asyncio.to_thread(inspector.inspect_in_background, detector, PHOTO)
    assert inspection.score == detector.inspect(PHOTO).score
    assert inspection.timings_ms["wait"] >= 0
    verdict = {"category": "can", "verdict": "normal"}
    assert metrics.registry.get_sample_value("goodsguard_verdicts_total", verdict) is None
    with pytest.raises(NotAnImage):
        await asyncio.to_thread(inspector.inspect_in_background, detector, b"no image")


async def test_waiting_estimates_follow_the_photos(inspector: Inspector) -> None:
    slow = slowed(lambda: threading.Event().wait(0.2))
    for _ in range(6):
        await ask(inspector, slow)
    with inspector.admit([slow], 30), pytest.raises(Overloaded) as caught:
        inspector.check()
    assert caught.value.retry_after >= 2


async def test_the_first_photo_that_fails_ends_those_that_wait(inspector: Inspector) -> None:
    passes, told = 0, threading.Event()

    def before() -> None:
        nonlocal passes
        passes += 1
        assert passes == 1 or told.wait(TIMEOUT)  # the second may have begun, and ends later
        raise RuntimeError("driver gone")

    with inspector.admit([slowed(before)], 10) as permit, pytest.raises(NetworkFailed):
        await inspector.inspect_all(permit, [PHOTO] * 10, until=NEVER, heatmap=False)
    told.set()
    inspector.close()  # what is left in the queue would be done by now
    assert passes <= 2


async def test_nothing_is_decoded_after_its_deadline(inspector: Inspector) -> None:
    with pytest.raises(DeadlineExceeded):
        await ask(inspector, make_detector(), b"no image", until=time.monotonic())


async def test_regions_and_overlay_are_those_of_the_detector(inspector: Inspector) -> None:
    detector, data = patches(), encode(spotted((100, 20, 150, 70)))
    found = await finding(inspector, detector, data)
    inspection, overlay = detector.inspect_and_draw(data)
    assert found.overlay == overlay
    assert list(found.regions) == detector.regions(inspection) != []
    unasked = await ask(inspector, detector, data)
    assert isinstance(unasked, Finding)
    assert (unasked.overlay, unasked.regions) == (None, found.regions)
    assert unasked.inspection.score == found.inspection.score


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> PixelBudget:
    """A budget of its own for pictures that wait."""
    budget = PixelBudget(10 * 160 * 120)
    monkeypatch.setattr(backdrop, "IN_WORK", budget)
    return budget


async def test_what_waits_to_be_drawn_on_counts_until_its_photo_is_done(
    inspector: Inspector, room: PixelBudget
) -> None:
    entered, release = threading.Event(), threading.Event()

    def before() -> None:
        entered.set()
        assert release.wait(TIMEOUT)

    asked = asyncio.create_task(finding(inspector, patches(before), encode(striped(111))))
    assert await asyncio.to_thread(entered.wait, TIMEOUT)
    assert room._free == 9 * 160 * 120
    release.set()
    assert (await asked).overlay is not None
    assert room._free == 10 * 160 * 120


async def test_without_a_heatmap_nothing_waits(inspector: Inspector, room: PixelBudget) -> None:
    held: list[int] = []
    await ask(inspector, patches(lambda: held.append(room._free)), encode(striped(111)))
    assert held == [10 * 160 * 120]


async def test_a_cancelled_photo_gives_its_room_back_though_it_waits_for_the_network(
    inspector: Inspector, room: PixelBudget
) -> None:
    entered, release = threading.Event(), threading.Event()

    def before() -> None:
        entered.set()
        assert release.wait(TIMEOUT)

    detector, data = patches(before), encode(striped(111))
    first = asyncio.create_task(ask(inspector, detector, data))  # without a heatmap
    try:
        assert await asyncio.to_thread(entered.wait, TIMEOUT)
        asked = asyncio.create_task(ask(inspector, detector, data, heatmap=True))
        async with cancelled_in_the_end(asked):
            await until(lambda: room._free == 9 * 160 * 120)
        assert room._free == 10 * 160 * 120
    finally:
        release.set()
    assert isinstance(await first, Finding)


async def test_a_photo_cancelled_while_it_is_decoded_gives_its_room_back(
    inspector: Inspector, room: PixelBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(data: bytes, **options: object) -> object:
        entered.set()
        assert release.wait(TIMEOUT)
        return decode(data, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("app.core.detector.decode", slow)
    asked = asyncio.create_task(ask(inspector, patches(), encode(striped(111)), heatmap=True))
    async with cancelled_in_the_end(asked):
        assert await asyncio.to_thread(entered.wait, TIMEOUT)
    taken = watch(room, monkeypatch)
    release.set()
    await until(lambda: bool(taken))
    await until(lambda: room._free == 10 * 160 * 120)


def watch(room: PixelBudget, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much is taken of it from now on."""
    taken, take = [], room.take

    def watched(pixels: int) -> object:
        taken.append(pixels)
        return take(pixels)

    monkeypatch.setattr(room, "take", watched)
    return taken


async def test_more_pictures_than_there_is_room_for_wait_and_are_all_drawn(
    metrics: Metrics, room: PixelBudget
) -> None:
    """None waits for another one that waits for it: drawing has threads of its own."""
    inspector, data = Inspector(metrics, 100), encode(striped(111))
    try:
        with inspector.admit([patches()], 60) as permit:
            async with asyncio.timeout(TIMEOUT):
                results = await inspector.inspect_all(
                    permit, [data] * 60, until=NEVER, heatmap=True
                )
    finally:
        inspector.close()
    overlays = {one.overlay for found in results for one in found.values()}  # type: ignore[union-attr]
    assert len(results) == 60
    assert len(overlays) == 1
    assert None not in overlays
    assert room._free == 10 * 160 * 120


MARGINS = {"near": 1.0, "nearly": 1.05, "far": 4.0, "whole": 0.0}


def cells_of(category: str) -> Detector:
    """Patches of 64 pixels a side, from a JPEG decoded at so many times that or more."""
    made = _patches()
    spec = made.manifest.features
    changed = spec.preprocess.model_copy(update={"draft_margin": MARGINS[category]})
    spec = spec.model_copy(update={"preprocess": changed})
    manifest = made.manifest.model_copy(update={"category": category, "features": spec})
    extractor = FeatureExtractor(spec, CellRuntime(spec=spec))
    return Detector(replace(made, manifest=manifest), extractor)


@pytest.fixture(scope="module")
def of_several_scales() -> list[Detector]:
    return [cells_of(category) for category in MARGINS]


@pytest.mark.parametrize(("kind", "decodes"), [("JPEG", 2), ("PNG", 1)])
async def test_a_photo_is_decoded_once_per_scale_that_is_wanted(
    metrics: Metrics,
    of_several_scales: list[Detector],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    decodes: int,
) -> None:
    """Whoever shares one is answered as alone, overlay and all."""
    data = encode(spotted((400, 80, 600, 280)).resize((640, 480)), kind)
    alone = {d.manifest.category: d.inspect_and_draw(data) for d in of_several_scales}
    seen: list[object] = []

    def counted(data: bytes, **options: Any) -> DecodedImage:
        seen.append(options["at_least"])
        return decode(data, **options)

    monkeypatch.setattr(core_detector, "decode", counted)
    free = IN_WORK._free
    inspector = Inspector(metrics, 100)
    try:
        with inspector.admit(of_several_scales) as permit:
            found = await inspector.inspect(permit, data, heatmap=True)
    finally:
        inspector.close()
    assert len(seen) == decodes
    assert set(found) == set(alone)
    for category, (inspection, overlay) in alone.items():
        one = found[category]
        assert isinstance(one, Finding)
        assert (one.inspection.score, one.overlay) == (inspection.score, overlay)
    assert IN_WORK._free == free


async def test_decodes_of_other_scales_need_no_room_that_this_photo_holds(
    metrics: Metrics, of_several_scales: list[Detector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room for one picture alone: whoever waited with one for another would for ever."""
    data = encode(striped(111).resize((640, 480)), "JPEG")
    budget = PixelBudget(640 * 480)
    monkeypatch.setattr(backdrop, "IN_WORK", budget)
    monkeypatch.setattr(images, "IN_WORK", budget)
    inspector = Inspector(metrics, 100)
    try:
        async with asyncio.timeout(TIMEOUT):
            with inspector.admit(of_several_scales, 3) as permit:
                found = await inspector.inspect_all(permit, [data] * 3, until=NEVER, heatmap=True)
    finally:
        inspector.close()
    assert [set(one) for one in found] == [set(MARGINS)] * 3
    assert budget._free == 640 * 480


async def test_a_photo_that_ends_early_leaves_no_picture_in_work(
    metrics: Metrics, of_several_scales: list[Detector]
) -> None:
    data = encode(striped(111).resize((640, 480)), "JPEG")
    free = IN_WORK._free
    inspector = Inspector(metrics, 100)
    try:
        for turns in range(40):
            with inspector.admit(of_several_scales) as permit:
                task = asyncio.ensure_future(inspector.inspect(permit, data, heatmap=True))
                for _ in range(turns):
                    await asyncio.sleep(0.0005)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await until(lambda: IN_WORK._free == free)
    finally:
        inspector.close()


@pytest.fixture
def _two_threads() -> Iterator[None]:
    set_threads(2)
    yield
    set_threads(1)


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("concurrent", [True, False])
async def test_the_networks_threads_suit_the_banks_that_serve_now(
    metrics: Metrics, concurrent: bool
) -> None:
    """Engines that use all cores for a photo get one at a time, whatever served before."""
    at_once, most, entered = 0, 0, threading.Barrier(2)
    lock = threading.Lock()

    def before() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        if concurrent:
            entered.wait(TIMEOUT)
        else:
            time.sleep(0.02)  # so that another one would have come in
        with lock:
            at_once -= 1

    detector = slowed(before)
    detector.extractor.runtime.concurrent = concurrent
    inspector = Inspector(metrics, 100, network_threads=2)
    try:
        inspector.suit([] if concurrent else [make_detector()])
        inspector.suit([detector])
        await asyncio.gather(*(ask(inspector, detector) for _ in range(6)))
        inspector.suit([])
    finally:
        inspector.close()
    assert most == (2 if concurrent else 1)


async def test_a_place_is_held_until_the_search_is_done(metrics: Metrics) -> None:
    """Also where the network is at the next photo already."""
    detector, method = searched_slowly(ColourRuntime())
    inspector = Inspector(metrics, 2, batch=1, searchers=1)
    try:
        asked = [asyncio.ensure_future(ask(inspector, detector)) for _ in range(2)]
        # Both passes are over: one photo is being searched, and one waits for that.
        searches = inspector.scheduler._searches
        assert searches is not None
        await until(lambda: searches._unfinished == 2 and len(method.budgets) == 1)
        assert inspector.depth == 2
        with pytest.raises(Overloaded):
            await ask(inspector, detector)
        method.go_on.set()
        assert [isinstance(found, Finding) for found in await asyncio.gather(*asked)] == [True] * 2
        assert inspector.depth == 0
    finally:
        method.go_on.set()
        inspector.close()

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from app.core.detector import Detector, Inspection
from app.core.errors import DeadlineExceeded, NetworkFailed, NotAnImage, Overloaded
from app.service.workers import Workers
from tests.support import colour_extractor, encode, make_artifact, make_detector, plain

pytestmark = pytest.mark.anyio

PHOTO = encode(plain(120))


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(queue_size=3)
    yield made
    made.close()


async def test_places_are_held_and_given_back(workers: Workers) -> None:
    async with workers.admit(2):
        assert workers.depth == 2
    assert workers.depth == 0


async def test_places_are_given_back_after_an_error(workers: Workers) -> None:
    with pytest.raises(RuntimeError, match="inside"):
        async with workers.admit(2):
            raise RuntimeError("inside")
    assert workers.depth == 0


async def test_places_are_given_back_after_a_cancellation(workers: Workers) -> None:
    async def hold() -> None:
        async with workers.admit(3):
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    await asyncio.sleep(0)
    assert workers.depth == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert workers.depth == 0


async def test_a_full_queue_refuses_and_says_when_to_come_back(workers: Workers) -> None:
    async with workers.admit(3):
        with pytest.raises(Overloaded, match="3 photos") as caught:
            workers.check()
        assert caught.value.retry_after >= 1


@pytest.mark.parametrize(("held", "asked", "fits"), [(2, 1, True), (2, 2, False), (1, 2, True)])
async def test_a_batch_needs_places_for_all_its_photos(
    workers: Workers, held: int, asked: int, fits: bool
) -> None:
    async with workers.admit(held):
        if fits:
            async with workers.admit(asked):
                assert workers.depth == held + asked
        else:
            with pytest.raises(Overloaded):
                workers.check(asked)
    assert workers.depth == 0


async def test_a_batch_larger_than_the_queue_is_let_in_when_nothing_waits(
    workers: Workers,
) -> None:
    async with workers.admit(50):
        with pytest.raises(Overloaded):
            workers.check()


async def test_photos_are_judged_as_by_the_detector_itself(workers: Workers) -> None:
    detector = make_detector()
    photo = await workers.read(detector, PHOTO)
    ((inspection,),) = await workers.judge([detector], [photo])
    assert isinstance(inspection, Inspection)
    assert inspection.score == detector.inspect(PHOTO).score


async def test_the_time_until_the_network_is_reported(workers: Workers) -> None:
    detector = make_detector()
    ((inspection,),) = await workers.judge([detector], [await workers.read(detector, PHOTO)])
    assert isinstance(inspection, Inspection)
    assert inspection.timings_ms["wait"] >= 0


async def test_an_unreadable_photo_raises_where_it_is_awaited(workers: Workers) -> None:
    with pytest.raises(NotAnImage):
        await workers.read(make_detector(), b"no image")


async def test_the_network_sees_one_batch_at_a_time(workers: Workers) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def enter() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    detector = Detector(make_artifact(), colour_extractor(before=enter))
    photo = await workers.read(detector, PHOTO)
    await asyncio.gather(*(workers.judge([detector], [photo]) for _ in range(6)))
    assert most == 1


async def test_the_event_loop_turns_while_the_network_works(workers: Workers) -> None:
    release = threading.Event()
    detector = Detector(make_artifact(), colour_extractor(before=lambda: release.wait(10)))
    photo = await workers.read(detector, PHOTO)
    judging = asyncio.create_task(workers.judge([detector], [photo]))
    await asyncio.sleep(0.05)
    assert not judging.done()
    release.set()
    assert len(await judging) == 1


async def test_a_background_thread_takes_its_turn(workers: Workers) -> None:
    detector = make_detector()
    inspection = await asyncio.to_thread(workers.inspect, detector, PHOTO)
    assert inspection.score == detector.inspect(PHOTO).score
    assert inspection.timings_ms["wait"] >= 0


async def test_waiting_estimates_follow_the_photos(workers: Workers) -> None:
    slow = Detector(make_artifact(), colour_extractor(before=lambda: threading.Event().wait(0.2)))
    photo = await workers.read(slow, PHOTO)
    for _ in range(6):
        await workers.judge([slow], [photo])
    async with workers.admit(30):
        with pytest.raises(Overloaded) as caught:
            workers.check()
    assert caught.value.retry_after >= 2


async def test_the_first_photo_that_fails_ends_those_that_wait(workers: Workers) -> None:
    passes = 0

    def before() -> None:
        nonlocal passes
        passes += 1
        threading.Event().wait(0.1)
        raise RuntimeError("driver gone")

    detector = Detector(make_artifact(), colour_extractor(before=before))
    photo = await workers.read(detector, PHOTO)
    with pytest.raises(NetworkFailed):
        await workers.judge([detector], [photo] * 10)
    await asyncio.sleep(0.3)
    assert passes <= 2


async def test_nothing_is_decoded_after_its_deadline(workers: Workers) -> None:
    with pytest.raises(DeadlineExceeded):
        await workers.read(make_detector(), b"no image", deadline=time.monotonic())


async def test_the_time_until_a_photo_is_decoded_is_reported(workers: Workers) -> None:
    photo = await workers.read(make_detector(), PHOTO)
    assert photo.waited_ms > 0


async def test_a_photo_that_nobody_waits_for_is_let_go_at_once(workers: Workers) -> None:
    """Though the decoders are busy for long: a client may come, leave, and come again."""
    release, decoders = threading.Event(), workers._decoders
    busy = [decoders.submit(release.wait, 20) for _ in range(decoders._max_workers)]
    photo, detector = encode(plain(120)), make_detector()
    held = sys.getrefcount(photo)
    try:
        waiting = asyncio.create_task(workers.read(detector, photo))
        await asyncio.sleep(0.05)
        assert sys.getrefcount(photo) > held
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        del waiting
        gc.collect()
        assert sys.getrefcount(photo) == held
    finally:
        release.set()
    assert all(future.result() for future in busy)

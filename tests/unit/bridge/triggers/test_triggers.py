from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiomqtt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from app.bridge.config import Camera
from app.bridge.frames import Frame
from app.bridge.triggers.every import Every
from app.bridge.triggers.message import Asked, Questions
from app.bridge.triggers.motion import Motion
from app.bridge.triggers.trigger import CameraTrigger
from tests.support import encode, textured
from tests.unit.bridge.mosquitto import PROGRAM, mosquitto

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


def frame(taken: float, data: bytes = b"", at: datetime = NOON) -> Frame:
    return Frame("a", data, at + timedelta(seconds=taken), taken)


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 500), min_size=1, max_size=50))
def test_frames_that_are_wanted_are_as_far_apart_as_asked(
    every_s: float, pauses: list[float]
) -> None:
    every, now, wanted = Every(every_s), 0.0, []
    for pause in pauses:
        now += pause
        if every.wants(frame(now)):
            wanted.append(now)
        assert now - wanted[-1] < every_s  # none was left out that was due
    assert all(b - a >= 0.9 * every_s for a, b in pairwise(wanted))


def shelf(hand: int | None = None, *, light: float = 1.0, seed: int = 0) -> bytes:
    """A shelf as a camera sees it: with noise, at some light, and a hand before it or none."""
    picture = ImageEnhance.Brightness(textured(640, 480)).enhance(light)
    noise = np.random.default_rng(seed).normal(0, 6, (480, 640, 3))
    pixels = np.clip(np.asarray(picture, dtype=np.float32) * 0.7 + 30 + noise, 0, 255)
    photo = Image.fromarray(pixels.astype(np.uint8))
    if hand is not None:
        photo.paste((224, 172, 140), (hand, 200, hand + 110, 480))
    return encode(photo, "JPEG", quality=85)


def judged(frames: list[bytes], **options: Any) -> list[int]:
    """Which of the frames are, two a second."""
    motion = Motion(**{"share": 0.01, "still_s": 1.0, "every_s": 3600.0, **options})
    return [i for i, data in enumerate(frames) if motion.wants(frame(i / 2, data))]


def test_what_is_judged_is_the_first_frame_and_a_scene_that_is_still_again() -> None:
    still = [shelf(seed=i) for i in range(6)]
    hand = [shelf(hand=100 + 40 * i, seed=i) for i in range(6)]
    assert judged([*still, *hand, *still]) == [0, 14]  # the last change is at 12, a second before


def test_noise_and_light_are_no_motion() -> None:
    assert judged([shelf(seed=i) for i in range(10)]) == [0]
    assert judged([shelf(light=1 - 0.03 * i, seed=i) for i in range(10)]) == [0]


def test_where_nothing_moves_one_is_judged_now_and_then() -> None:
    assert judged([shelf(seed=i) for i in range(10)], every_s=2.0) == [0, 4, 8]


def test_a_scene_that_never_rests_is_not_judged() -> None:
    assert judged([shelf(hand=30 * i) for i in range(12)]) == [0]


def test_what_cannot_be_decoded_is_for_the_service_to_judge() -> None:
    assert judged([b"", b"\xff\xd8\xff broken"]) == [0, 1]


def test_a_question_is_answered_by_a_frame_that_came_after_it() -> None:
    now = 100.0
    asked = Asked(lambda: now)
    assert not asked.wants(frame(100))
    asked.ask()
    asked.ask()
    assert not asked.wants(frame(99))  # taken before
    assert asked.wants(frame(101))
    assert not asked.wants(frame(102))


def camera(**entries: Any) -> Camera:
    return Camera.model_validate({"name": "a", "source": "rtsp://h/1", **entries})


def test_outside_opening_hours_only_questions_are_answered() -> None:
    trigger = CameraTrigger.of(camera(hours="08:00-13:00", zone="UTC", every_s=10))
    assert [trigger.wants(frame(s)) for s in (0, 5, 10)] == [True, False, True]
    assert not trigger.wants(frame(3600))  # 13:00
    trigger.asked.ask()
    assert trigger.wants(frame(1e9))


def test_photos_that_come_by_themselves_are_each_judged() -> None:
    trigger = CameraTrigger.of(camera(source="/photos", every_s=1000))
    assert all(trigger.wants(frame(s)) for s in (0, 1, 2))


def test_motion_looks_more_often_than_it_judges() -> None:
    assert camera(motion=True, every_s=60).pace_s == 0.5
    assert camera(motion={"share": 0.1}, every_s=0.2).pace_s == 0.2
    trigger = CameraTrigger.of(camera(motion=True, every_s=3600))
    frames = [frame(i / 2, shelf(seed=i)) for i in range(4)]
    assert [trigger.wants(one) for one in frames] == [True, False, False, False]


@pytest.mark.anyio
@pytest.mark.skipif(PROGRAM is None, reason="needs mosquitto")
async def test_a_message_asks(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def follow(frames: AsyncGenerator[Frame, None]) -> None:
        async for _ in frames:
            raise AssertionError("it has no photos")

    with mosquitto(tmp_path) as broker:
        questions = Questions("a", "till/3", broker, asked.set)
        following = asyncio.create_task(follow(questions.frames()))
        async with asyncio.timeout(15), aiomqtt.Client(broker.host, broker.port) as client:
            while not asked.is_set():
                await client.publish("till/3", b"")
                await asyncio.sleep(0.05)
        assert not following.done()
        following.cancel()
        await asyncio.wait({following})

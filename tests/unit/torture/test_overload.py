"""What the run takes for a queue that keeps its bound, and for one that does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.torture.generator import Sent
from tests.torture.overload import QUEUE_SIZE, waits_of

CALM_MS = 30.0
PHOTO_S = 0.02


def answered(places: int, speed: Callable[[float], float], photos: int = 2000) -> list[Sent]:
    """Photos that come as soon as one of so many places is free, and are answered in turn."""
    done: list[float] = []
    for _ in range(photos):
        begun = done[-1] if done else 0.0
        done.append(begun + PHOTO_S / speed(begun))
    due = [0.0] * places + done[: photos - places]
    return [
        Sent("photo", d, d, sent=d, done=end, status=200) for d, end in zip(due, done, strict=True)
    ]


@pytest.mark.parametrize(
    "speed",
    [lambda _: 1.0, lambda t: 0.2 if 5 < t < 9 else 1.0, lambda t: 1.5 + float(np.sin(t))],
    ids=["steady", "slow for a while", "up and down"],
)
def test_a_queue_in_turn_keeps_its_bound_however_fast_the_machine_is(
    speed: Callable[[float], float],
) -> None:
    waits = waits_of(answered(QUEUE_SIZE, speed), CALM_MS)
    assert waits.within() == 1.0
    assert waits.others.max() == QUEUE_SIZE
    bounds = [b for b in waits.bound_by_second(0.0) if b is not None]
    assert min(bounds) >= CALM_MS + QUEUE_SIZE * PHOTO_S * 1000 / 2.5 - 1


def test_a_queue_with_more_places_does_not() -> None:
    waits = waits_of(answered(QUEUE_SIZE + 10, lambda _: 1.0), CALM_MS)
    assert waits.within() < 0.05
    assert np.median(waits.others) == QUEUE_SIZE + 10


def test_who_is_passed_by_others_is_seen() -> None:
    requests = answered(QUEUE_SIZE, lambda _: 1.0)
    left_behind = requests[500]
    assert left_behind.done is not None
    left_behind.done += 1.0
    waits = waits_of(requests, CALM_MS)
    assert waits.within() == pytest.approx(1 - 1 / len(requests))


def test_what_was_refused_or_lost_is_left_out() -> None:
    requests = answered(QUEUE_SIZE, lambda _: 1.0)
    refused = Sent("photo", 0.0, 0.0, sent=0.0, done=9.0, status=429)
    assert len(waits_of([*requests, refused, Sent("photo", 0.0, 0.0)], CALM_MS).others) == 2000

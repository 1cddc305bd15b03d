from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from app.bridge.sources.pacing import Pace
from tests.unit.bridge.virtual_time import run


def moments(every_s: float, works: list[float], asked_at: tuple[float, ...] = ()) -> list[float]:
    """When photos are due, where taking each takes so long."""

    async def program() -> list[float]:
        loop = asyncio.get_running_loop()
        pace, found = Pace(every_s), []
        for moment in asked_at:
            loop.call_at(moment, pace.ask)
        for work in works:
            await pace.due()
            found.append(loop.time())
            await asyncio.sleep(work)
        return found

    return run(program())


def test_the_first_photo_is_due_at_once_and_the_others_by_the_beat() -> None:
    assert moments(10, [1, 2, 3, 0]) == [0, 10, 20, 30]


def test_what_is_late_is_not_made_up_for() -> None:
    assert moments(10, [35, 0, 0]) == [0, 35, 45]


def test_asked_for_before_its_time_the_beat_starts_anew() -> None:
    assert moments(10, [0, 0, 0], (3,)) == [0, 3, 13]


def test_asked_for_while_one_is_taken_another_is_due_after_it() -> None:
    assert moments(10, [5, 0, 0], (2,)) == [0, 5, 15]


@given(st.floats(0.1, 100), st.lists(st.floats(0, 300), min_size=2, max_size=20))
def test_no_photo_comes_sooner_than_its_beat_and_none_later_than_need_be(
    every_s: float, works: list[float]
) -> None:
    found = moments(every_s, works)
    for before, after, work in zip(found, found[1:], works, strict=False):
        assert after - before >= min(every_s, work) - 1e-6
        assert after - before <= max(every_s, work) + 1e-6
    assert found[-1] >= every_s * (len(works) - 1) * (1 - 1e-9) - every_s * sum(
        w > every_s for w in works
    )

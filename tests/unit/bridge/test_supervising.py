from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bridge.frames import Frame
from app.bridge.sources.source import SourceError
from app.bridge.supervising import FIRST_S, LONGEST_S, Backoff, State, Supervisor
from tests.unit.bridge.virtual_time import run


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=2000))
def test_each_wait_lies_between_half_and_all_of_a_doubled_one(draws: list[float]) -> None:
    numbers = iter(draws)
    backoff = Backoff(draw=lambda: next(numbers))
    whole = FIRST_S
    for draw in draws:
        wait = backoff.next()
        assert whole / 2 <= wait <= whole <= LONGEST_S
        assert wait == whole * (0.5 + 0.5 * draw)
        whole = min(LONGEST_S, whole * 2)


@given(st.integers(0, 50))
def test_what_works_again_begins_anew(tries: int) -> None:
    backoff = Backoff(draw=lambda: 0.999)
    first = backoff.next()
    for _ in range(tries):
        backoff.next()
    backoff.reset()
    assert backoff.next() == first


def test_cameras_that_fell_together_come_back_apart() -> None:
    waits = {round(Backoff().next(), 6) for _ in range(50)}
    assert len(waits) > 40


@dataclass
class Acting:
    """A source that does as it is told: a number is slept, a text fails, "frame" is one."""

    acts: Sequence[float | str | Exception]
    name: str = "a"
    stall_s: float | None = 5.0
    closed_at: list[float] = field(default_factory=list)
    stubborn_s: float = 0.0

    def ask(self) -> None:
        pass

    async def frames(self) -> AsyncGenerator[Frame, None]:
        try:
            for act in self.acts:
                if isinstance(act, Exception):
                    raise act
                if act == "frame":
                    yield Frame.now("a", b"x")
                elif isinstance(act, str):
                    raise SourceError(act)
                else:
                    await asyncio.sleep(act)
        finally:
            await asyncio.sleep(self.stubborn_s)
            self.closed_at.append(asyncio.get_running_loop().time())


@dataclass
class Seen:
    standings: list[tuple[float, State, str]] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)


def supervised(sources: Sequence[Any], for_s: float) -> Seen:
    """What happens with these sources, one after the other, the last of them again and again."""
    seen, left = Seen(), list(sources)

    def now() -> float:
        return asyncio.get_running_loop().time()

    def make() -> Any:
        seen.starts.append(now())
        source = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(source, Exception):
            raise source
        return source

    async def take(frame: Frame) -> None:
        seen.frames.append(now())

    async def sleep(seconds: float) -> None:
        seen.standings.append((now(), supervisor.standing.state, supervisor.standing.reason))
        await asyncio.sleep(seconds)

    supervisor = Supervisor("a", make, take, backoff=Backoff(draw=lambda: 1.0), sleep=sleep)

    async def program() -> None:
        task = asyncio.create_task(supervisor.run())
        await asyncio.sleep(for_s)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(program())
    assert supervisor.standing.frames == len(seen.frames)
    return seen


def test_a_source_that_fails_is_tried_again_ever_more_seldom() -> None:
    seen = supervised([Acting(["the camera says no"])], 60)
    waits = [b - a for a, b in pairwise(seen.starts)]
    assert waits[:5] == [1, 2, 4, 8, 8]
    assert set(waits[3:]) == {8}
    assert {standing[1:] for standing in seen.standings} == {(State.FAILED, "the camera says no")}


def test_a_source_that_hangs_is_closed_and_started_again() -> None:
    hanging = Acting(["frame", 1, "frame", 1000])
    seen = supervised([hanging, Acting(["frame", 10_000], stall_s=None)], 100)
    assert seen.frames == [0, 1, 7]  # 1 s, 5 s without a photo, 1 s of waiting
    assert hanging.closed_at == [6]
    assert seen.standings == [(6, State.STALLED, "no photo came for 5 s")]


def test_a_source_that_does_not_let_go_is_left_behind() -> None:
    stubborn = Acting([1000], stubborn_s=1000)
    seen = supervised([stubborn, Acting(["frame", 10_000], stall_s=None)], 50)
    assert seen.frames == [5 + 5 + 1]


def test_a_source_may_be_quiet_where_it_says_so() -> None:
    seen = supervised([Acting(["frame", 5000, "frame", 10_000], stall_s=None)], 6000)
    assert seen.frames == [0, 5000]


@pytest.mark.parametrize("fault", [ZeroDivisionError("x"), MemoryError(), TimeoutError()])
def test_nothing_that_a_source_does_ends_the_supervision(fault: Exception) -> None:
    seen = supervised([Acting(["frame", fault]), Acting(["frame", 10_000], stall_s=None)], 50)
    assert len(seen.frames) == 2
    assert seen.standings[0][1] is State.FAILED
    assert type(fault).__name__ in seen.standings[0][2]


def test_a_source_that_cannot_be_made_is_tried_again() -> None:
    seen = supervised([SourceError("no such package"), Acting(["frame", 10_000], stall_s=None)], 9)
    assert seen.frames == [1]
    assert seen.standings == [(0, State.FAILED, "no such package")]


def test_a_source_may_ask_not_to_be_tried_too_soon() -> None:
    """Cameras lock out whoever guesses passwords."""
    refused = SourceError("the password is refused", again_s=60)
    seen = supervised([Acting([refused])], 200)
    assert seen.starts == [0, 60, 120, 180]


def test_a_photo_begins_the_waits_anew() -> None:
    seen = supervised([*[Acting(["no"])] * 4, Acting(["frame", "no"]), Acting(["no"])], 40)
    assert [b - a for a, b in pairwise(seen.starts)][:6] == [1, 2, 4, 8, 1, 2]


@given(
    st.lists(
        st.lists(st.one_of(st.just("frame"), st.just("fault"), st.floats(0.1, 20)), max_size=5),
        min_size=1,
        max_size=5,
    )
)
def test_after_any_history_a_source_that_works_gives_photos(histories: list[list[Any]]) -> None:
    """Within the longest wait, and the time in which a hang is noticed, of its end."""
    last = Acting(["frame", 100_000], stall_s=None)
    acts = [Acting(history) for history in histories]
    most = sum(sum(a if isinstance(a, float) else 0 for a in h) + 5 + LONGEST_S for h in histories)
    seen = supervised([*acts, last], most + 1)
    assert len(seen.starts) == len(acts) + 1
    assert seen.frames[-1] == seen.starts[-1]
    ends = [source.closed_at[0] for source in acts if source.closed_at]
    assert all(start - end <= LONGEST_S for end, start in zip(ends, seen.starts[1:], strict=True))

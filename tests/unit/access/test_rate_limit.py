from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.rate_limit import RateLimiter

SECOND = 10**9


class Clock:
    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(clock, max_clients=3)


def test_a_minutes_requests_may_come_at_once(limiter: RateLimiter) -> None:
    assert [limiter.take("a", 3) for _ in range(5)] == [0, 0, 0, 20, 20]


def test_then_one_comes_back_after_the_other(limiter: RateLimiter, clock: Clock) -> None:
    taken = []
    for _ in range(90):
        taken.append(limiter.take("a", 3) == 0)
        clock.ns += SECOND
    assert [i for i, let_in in enumerate(taken) if let_in] == [0, 1, 2, 20, 40, 60, 80]


def test_no_limit_is_no_limit_and_keeps_nothing(limiter: RateLimiter) -> None:
    assert {limiter.take("a", 0) for _ in range(1000)} == {0}
    assert len(limiter) == 0


def test_clients_do_not_count_for_each_other(limiter: RateLimiter) -> None:
    assert [limiter.take(client, 1) for client in "aabb"] == [0, 60, 0, 60]


def test_a_refused_request_costs_nothing(limiter: RateLimiter, clock: Clock) -> None:
    limiter.take("a", 1)
    for _ in range(59):
        clock.ns += SECOND
        assert limiter.take("a", 1) > 0
    clock.ns += SECOND
    assert limiter.take("a", 1) == 0


@given(st.integers(1, 100_000), st.lists(st.integers(0, 90 * SECOND), max_size=60))
def test_whoever_waits_as_told_is_let_in(limit: int, pauses: list[int]) -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    for pause in pauses:
        clock.ns += pause
        if seconds := limiter.take("a", limit):
            clock.ns += seconds * SECOND
            assert limiter.take("a", limit) == 0


@given(st.integers(1, 20), st.lists(st.integers(0, 20 * SECOND), min_size=1, max_size=80))
def test_no_stretch_of_time_holds_more_than_a_bucket_and_its_refill(
    limit: int, pauses: list[int]
) -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    times = []
    for pause in pauses:
        clock.ns += pause
        if limiter.take("a", limit) == 0:
            times.append(clock.ns)
    interval = 60 * SECOND // limit
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= limit + (times[last] - times[first]) // interval


def test_a_full_bucket_is_forgotten(limiter: RateLimiter, clock: Clock) -> None:
    limiter.take("a", 2)
    clock.ns += 29 * SECOND
    limiter.take("b", 2)
    assert len(limiter) == 2
    clock.ns += SECOND
    limiter.take("b", 2)
    assert len(limiter) == 1


def test_memory_is_bounded_and_the_quietest_is_forgotten_first(limiter: RateLimiter) -> None:
    for client in ("a", "b", "c", "a", "d"):
        assert limiter.take(client, 2) == 0
    assert len(limiter) == 3
    assert limiter.take("a", 2) > 0
    assert [limiter.take("b", 2), limiter.take("b", 2)] == [0, 0]


def test_a_raised_limit_refills_faster_at_once(limiter: RateLimiter) -> None:
    assert [limiter.take("a", 1), limiter.take("a", 1)] == [0, 60]
    assert limiter.take("a", 60) == 1

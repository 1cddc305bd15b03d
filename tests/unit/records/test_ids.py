"""UUIDv7 as RFC 9562 has it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from app.records.ids import Ids, time_of, uuid7

MS = st.integers(0, (1 << 48) - 1)


@given(st.lists(MS, min_size=1, max_size=50))
def test_each_is_larger_than_the_one_before_whatever_the_clock_does(clock: list[int]) -> None:
    ids = Ids()
    made = [ids.next(ms) for ms in clock]
    assert made == sorted(set(made))
    assert [str(one) for one in made] == sorted(str(one) for one in made)
    assert [one.bytes for one in made] == sorted(one.bytes for one in made)


@given(MS)
def test_it_has_its_version_its_variant_and_its_time(ms: int) -> None:
    made = Ids().next(ms)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == ms


def test_the_rfc_s_own_example_is_read() -> None:
    """RFC 9562, appendix A.6."""
    example = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
    assert time_of(example) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_a_counter_that_is_full_borrows_from_the_next_millisecond() -> None:
    ids = Ids()
    before = ids.next(5)
    ids._counter = (1 << 42) - 1
    after = ids.next(5)
    assert after > before
    assert after.int >> 80 == 6


def test_it_is_of_now() -> None:
    before = time.time() - 0.001
    assert before <= time_of(uuid7()).timestamp() <= time.time()


def test_threads_get_different_ones_each_in_order() -> None:
    made: list[list[UUID]] = [[] for _ in range(8)]

    def make(into: list[UUID]) -> None:
        into.extend(uuid7() for _ in range(2000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for into in made for one in into}) == 16_000
    assert all(into == sorted(into) for into in made)

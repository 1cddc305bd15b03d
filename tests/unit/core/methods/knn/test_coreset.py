from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BankError
from app.core.methods.knn.coreset import covering_radius, greedy_k_center
from app.core.methods.knn.streaming_coreset import StreamingCoreset

seeds = st.integers(0, 999)


def drawn(seed: int, n: int, d: int = 4) -> Any:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def radius(vectors: Any, chosen: Any) -> float:
    """The definition: how far the worst vector is from its nearest centre."""
    distances = np.linalg.norm(vectors[:, None] - vectors[chosen][None], axis=2)
    return float(distances.min(axis=1).max())


def textbook(vectors: Any, size: int, first: int) -> list[int]:
    """Farthest-first traversal, one pick at a time."""
    chosen = [first]
    nearest = np.linalg.norm(vectors - vectors[first], axis=1)
    while len(chosen) < size:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(vectors - vectors[chosen[-1]], axis=1))
    return chosen


@given(seed=seeds, n=st.integers(1, 60), size=st.integers(1, 30))
def test_picks_are_those_of_the_textbook(seed: int, n: int, size: int) -> None:
    vectors = drawn(seed, n)
    chosen = greedy_k_center(vectors, size, seed=seed)
    assert chosen.tolist() == textbook(vectors, min(size, n), int(chosen[0]))


@given(seed=seeds, n=st.integers(1, 60), size=st.integers(1, 80))
def test_picks_are_distinct_and_as_many_as_asked_for(seed: int, n: int, size: int) -> None:
    chosen = greedy_k_center(drawn(seed, n), size, seed=seed).tolist()
    assert len(chosen) == len(set(chosen)) == min(size, n)
    assert set(chosen) <= set(range(n))


@given(seed=seeds)
def test_a_shorter_coreset_begins_a_longer_one(seed: int) -> None:
    vectors = drawn(seed, 50)
    longer = greedy_k_center(vectors, 20, seed=seed).tolist()
    assert greedy_k_center(vectors, 7, seed=seed).tolist() == longer[:7]


@given(seed=seeds, size=st.integers(1, 3))
def test_the_radius_is_at_most_twice_the_best_possible(seed: int, size: int) -> None:
    vectors = drawn(seed, 9, d=2)
    best = min(radius(vectors, list(c)) for c in combinations(range(9), size))
    assert radius(vectors, greedy_k_center(vectors, size, seed=seed)) <= 2 * best + 1e-5


@given(seed=seeds, size=st.integers(1, 12))
def test_the_radius_reported_is_the_definitions(seed: int, size: int) -> None:
    vectors = drawn(seed, 40)
    chosen = greedy_k_center(vectors, size, seed=seed)
    assert covering_radius(vectors, vectors[chosen]) == pytest.approx(
        radius(vectors, chosen), abs=1e-4
    )


def test_a_seed_gives_the_same_coreset_again() -> None:
    vectors = drawn(1, 200)
    first, again = (greedy_k_center(vectors, 40, seed=5) for _ in range(2))
    assert first.tolist() == again.tolist()


def test_duplicates_are_taken_last() -> None:
    vectors = np.repeat(drawn(2, 5), 4, axis=0)
    chosen = greedy_k_center(vectors, 20, seed=0)
    assert len(np.unique(vectors[chosen[:5]], axis=0)) == 5
    assert sorted(chosen.tolist()) == list(range(20))


def test_a_coreset_of_thousands_covers_as_the_textbooks() -> None:
    vectors = drawn(3, 6_000, d=16)
    chosen = greedy_k_center(vectors, 300, seed=0)
    expected = vectors[textbook(vectors, 300, int(chosen[0]))]
    assert covering_radius(vectors, vectors[chosen]) == pytest.approx(
        covering_radius(vectors, expected), rel=1e-3
    )


@pytest.mark.parametrize(
    ("vectors", "size"),
    [
        (np.zeros((0, 3), dtype=np.float32), 1),
        (drawn(0, 5), 0),
        (drawn(0, 5) * np.float32(np.nan), 2),
        (drawn(0, 5) + np.float32(np.inf), 2),
    ],
)
def test_what_no_coreset_can_be_made_of_is_refused(vectors: Any, size: int) -> None:
    with pytest.raises(BankError):
        greedy_k_center(vectors, size, seed=0)


@given(seed=seeds, parts=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_a_stream_that_fits_gives_the_coreset_of_all(seed: int, parts: list[int]) -> None:
    blocks = [drawn(seed + i, n) for i, n in enumerate(parts)]
    stream = StreamingCoreset(5, seed=seed, buffer_bytes=1 << 20)
    for block in blocks:
        stream.add(block)
    vectors, places = stream.finish(5)
    whole = np.concatenate(blocks)
    expected = greedy_k_center(whole, 5, seed=seed)
    assert places.tolist() == expected.tolist()
    np.testing.assert_array_equal(vectors, whole[expected])


@given(seed=seeds)
def test_a_stream_beyond_the_buffer_keeps_vectors_that_came_by(seed: int) -> None:
    blocks = [drawn(seed + i, 30) for i in range(8)]
    stream = StreamingCoreset(10, seed=seed, buffer_bytes=40 * 4 * 4)
    for block in blocks:
        stream.add(block)
    vectors, places = stream.finish(10)
    whole = np.concatenate(blocks)
    assert stream.seen == len(whole)
    np.testing.assert_array_equal(vectors, whole[places])
    assert covering_radius(whole, vectors) < 2 * covering_radius(
        whole, whole[greedy_k_center(whole, 10, seed=seed)]
    )


def test_a_stream_of_nothing_is_refused() -> None:
    with pytest.raises(BankError):
        StreamingCoreset(3, seed=0).finish(3)

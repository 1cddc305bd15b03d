from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from app.core.errors import BankError
from app.core.methods.knn.bank import MemoryBank

shapes = st.tuples(st.integers(1, 60), st.integers(1, 40), st.integers(1, 12), st.integers(1, 8))


def drawn(seed: int, n: int, d: int) -> Any:
    return np.random.default_rng(seed).normal(scale=5, size=(n, d)).astype(np.float32)


@given(shape=shapes, seed=st.integers(0, 999))
def test_neighbours_equal_those_of_scikit_learn(
    shape: tuple[int, int, int, int], seed: int
) -> None:
    n, d, p, k = shape
    vectors, queries = drawn(seed, n, d), drawn(seed + 1, p, d)
    k = min(k, n)
    reference = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(vectors)
    expected, places = reference.kneighbors(queries)
    distances, indices = MemoryBank(vectors).search(queries, k)
    np.testing.assert_allclose(distances, expected, atol=1e-4)
    np.testing.assert_array_equal(indices, places)


@given(shape=shapes, seed=st.integers(0, 999))
def test_a_stored_vector_is_at_distance_zero_exactly(
    shape: tuple[int, int, int, int], seed: int
) -> None:
    vectors = drawn(seed, shape[0], shape[1])
    distances, indices = MemoryBank(vectors).search(vectors, 1)
    assert (distances == 0).all()
    np.testing.assert_array_equal(indices[:, 0], np.arange(len(vectors)))


@given(shape=shapes, seed=st.integers(0, 999))
def test_distances_do_not_depend_on_how_many_queries_come_together(
    shape: tuple[int, int, int, int], seed: int
) -> None:
    n, d, p, k = shape
    bank, queries = MemoryBank(drawn(seed, n, d)), drawn(seed + 1, p, d)
    together, _ = bank.search(queries, k)
    alone = np.concatenate([bank.search(query[None], k)[0] for query in queries])
    np.testing.assert_array_equal(together, alone)


def test_small_distances_between_large_vectors_keep_their_digits() -> None:
    vectors = np.full((50, 64), 1000.0, dtype=np.float32)
    queries = vectors[:30].copy()
    queries[:, 0] += 0.25
    distances, _ = MemoryBank(vectors).search(queries, 1)
    np.testing.assert_array_equal(distances, 0.25)


def test_distances_come_nearest_first() -> None:
    distances, indices = MemoryBank(np.array([[9.0], [1.0], [4.0]], dtype=np.float32)).search(
        np.zeros((1, 1), dtype=np.float32), 3
    )
    assert distances.tolist() == [[1, 4, 9]]
    assert indices.tolist() == [[1, 2, 0]]


def test_distances_are_euclidean_not_squared() -> None:
    distances, _ = MemoryBank(np.array([[3.0, 4.0]], dtype=np.float32)).search(
        np.zeros((1, 2), dtype=np.float32), 1
    )
    assert distances.tolist() == [[5.0]]


@pytest.mark.parametrize("k", [3, 4, 1000])
def test_k_is_clipped_to_the_bank(k: int) -> None:
    distances, indices = MemoryBank(drawn(0, 3, 2)).search(drawn(1, 5, 2), k)
    assert distances.shape == indices.shape == (5, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    vectors = drawn(0, 4, 3)
    vectors[2, 1] = value
    with pytest.raises(BankError, match="NaN or infinite"):
        MemoryBank(vectors)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (3,), (2, 3, 4)])
def test_a_bank_without_vectors_or_of_another_rank_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BankError, match=r"\(N, D\)"):
        MemoryBank(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("shape", [(1, 4), (1, 2), (3,)])
def test_queries_of_another_dimension_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BankError, match="D = 3"):
        MemoryBank(drawn(0, 4, 3)).search(np.zeros(shape, dtype=np.float32), 1)


def test_a_bank_knows_its_size() -> None:
    bank = MemoryBank(drawn(0, 4, 3))
    assert (len(bank), bank.dimensions) == (4, 3)


@pytest.mark.parametrize("shape", [(3, 4), (2, 5), (2, 3)])
def test_distances_of_queries_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    bank = MemoryBank(np.ones((6, 4), dtype=np.float32))
    with pytest.raises(BankError, match="D = 4"):
        bank.distances(np.ones(shape, dtype=np.float32), np.zeros((2, 1), dtype=np.int64))


def test_an_index_of_minus_one_is_infinitely_far() -> None:
    bank = MemoryBank(np.ones((6, 4), dtype=np.float32))
    found = bank.distances(np.zeros((1, 4), dtype=np.float32), np.array([[-1, 2]]))
    np.testing.assert_array_equal(found, [[np.inf, 2.0]])

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.core.errors import CalibrationError
from app.core.methods.knn import KnnSettings
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.knn.method import leave_one_out


def float32(values: Any) -> Any:
    return np.array(values, dtype=np.float32)


def brute_force(vectors: Any, groups: list[str], k: int) -> list[float]:
    """The definition, one image at a time."""
    scores = []
    for image, group in zip(vectors, groups, strict=True):
        others = [v for v, g in zip(vectors, groups, strict=True) if g != group]
        distances = sorted(float(np.linalg.norm(image - other)) for other in others)
        scores.append(statistics.fmean(distances[:k]))
    return scores


@given(
    groups=st.lists(st.sampled_from("abcdef"), min_size=2, max_size=24),
    k=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_leave_one_out_equals_a_loop_over_the_definition(
    groups: list[str], k: int, seed: int
) -> None:
    assume(len(set(groups)) > 1)
    vectors = np.random.default_rng(seed).normal(size=(len(groups), 5)).astype(np.float32)
    scores = leave_one_out(MemoryBank(vectors), groups, k)
    np.testing.assert_allclose(scores, brute_force(vectors, groups, k), atol=1e-4)


def test_images_of_one_sku_leave_together() -> None:
    vectors = float32([[0.0], [0.1], [5.0], [5.1]])
    own = leave_one_out(MemoryBank(vectors), list("abcd"), 1)
    by_sku = leave_one_out(MemoryBank(vectors), list("aabb"), 1)
    np.testing.assert_allclose(own, [0.1] * 4, atol=1e-5)
    np.testing.assert_allclose(by_sku, [5.0, 4.9, 4.9, 5.0], atol=1e-5)


def test_identical_images_still_leave_their_own_out() -> None:
    vectors = np.zeros((4, 3), dtype=np.float32)
    assert leave_one_out(MemoryBank(vectors), list("abcd"), 1).tolist() == [0] * 4


@pytest.mark.parametrize("groups", [["a"], ["a", "a", "a"]])
def test_leave_one_out_needs_two_groups(groups: list[str]) -> None:
    bank = MemoryBank(np.ones((len(groups), 2), dtype=np.float32))
    with pytest.raises(CalibrationError, match="2 groups"):
        leave_one_out(bank, groups, 1)


@given(
    patches=st.integers(1, 10**7),
    ratio=st.floats(1e-9, 1),
    limit=st.none() | st.integers(1, 10**5),
)
def test_never_nothing_and_never_more_than_there_is(
    patches: int, ratio: float, limit: int | None
) -> None:
    size = KnnSettings(coreset_ratio=ratio, max_vectors=limit).size(patches)
    assert 1 <= size <= patches
    assert limit is None or size <= limit


@pytest.mark.parametrize(("patches", "size"), [(1000, 100), (5, 1), (100_000, 800)])
def test_a_tenth_up_to_a_limit(patches: int, size: int) -> None:
    assert KnnSettings(coreset_ratio=0.1, max_vectors=800).size(patches) == size


@pytest.mark.parametrize(
    "change", [{"coreset_ratio": 0}, {"coreset_ratio": 1.1}, {"max_vectors": 0}]
)
def test_rules_that_keep_nothing_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        KnnSettings.model_validate(change)

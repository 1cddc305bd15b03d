from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.core.errors import BankError, CalibrationError
from app.core.features.sample import Sample
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.knn.method import leave_one_out
from app.core.methods.knn.search import SearchPlan
from app.core.methods.method import Lesson
from app.core.methods.scoring import Scoring

HIGHEST = Scoring()


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


def lesson(*photos: Any, scoring: Scoring = HIGHEST, grid: tuple[int, int] = (2, 3)) -> Lesson:
    samples = [Sample(float32(photo), 0, 0, grid) for photo in photos]
    return Lesson(samples, [str(i) for i in range(len(samples))], scoring)


def drawn(number: int, seed: int = 0, cells: tuple[int, int] = (2, 3), d: int = 4) -> Any:
    return np.random.default_rng(seed).random((number, *cells, d), dtype=np.float32)


def test_a_bank_of_everything_keeps_the_vectors_in_their_order() -> None:
    photos = drawn(5)
    learnt = Knn.fit(KnnSettings(), lesson(*photos))
    np.testing.assert_array_equal(learnt.bank.vectors, photos.reshape(-1, 4))
    assert learnt.facts() == {"vectors": 30, "dimensions": 4}


def test_a_coreset_is_of_the_photos_own_patches() -> None:
    photos = drawn(5)
    learnt = Knn.fit(KnnSettings(coreset_ratio=0.2), lesson(*photos))
    everything = {tuple(v) for v in photos.reshape(-1, 4).tolist()}
    assert len(learnt.bank) == 6
    assert {tuple(v) for v in learnt.bank.vectors.tolist()} <= everything


def test_a_score_is_the_distance_of_each_cell_to_its_neighbours() -> None:
    photos = drawn(4)
    learnt = Knn.fit(KnnSettings(k=2), lesson(*photos))
    cells = drawn(1, seed=9)[0]
    found = learnt.score(Sample(cells, 0, 0, (2, 3)), 1)
    far = np.linalg.norm(cells[:, :, None, :] - photos.reshape(-1, 4), axis=-1)
    np.testing.assert_allclose(found, np.sort(far, axis=2)[:, :, :2].mean(axis=2), rtol=1e-5)


def test_a_photo_is_left_out_where_the_bank_holds_one_vector_of_each() -> None:
    photos = drawn(6, cells=(1, 1))
    whole = lesson(*photos, grid=(1, 1))
    learnt = Knn.fit(KnnSettings(), whole)
    found = learnt.leave_one_out(whole)
    assert found is not None
    expected = float32(brute_force(photos.reshape(6, 4), list("abcdef"), 1))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    few = Knn.fit(KnnSettings(max_vectors=3), whole)
    assert few.leave_one_out(whole) is None
    patches = lesson(*drawn(6))
    assert Knn.fit(KnnSettings(), patches).leave_one_out(patches) is None


def test_a_large_bank_of_patches_is_served_by_lists_and_comes_back_with_them() -> None:
    whole = lesson(*drawn(12, cells=(10, 12)), scoring=Scoring(top_share=0.05), grid=(10, 12))
    exact = Knn.fit(KnnSettings(seed=3), whole)
    served = exact.for_serving(whole)
    assert exact.settings.search.kind == "exact"
    assert served.settings.search.kind == "lists"
    again = Knn.load(served.settings, served.tensors())
    sample = Sample(drawn(1, seed=5, cells=(10, 12))[0], 0, 0, (10, 12))
    np.testing.assert_array_equal(again.score(sample, 6), served.score(sample, 6))


@pytest.mark.parametrize(("k", "cells", "grid"), [(2, (10, 12), (10, 12)), (1, (1, 1), (1, 1))])
def test_several_neighbours_and_global_features_are_served_exactly(
    k: int, cells: tuple[int, int], grid: tuple[int, int]
) -> None:
    whole = lesson(*drawn(2000 if grid == (1, 1) else 12, cells=cells), grid=grid)
    learnt = Knn.fit(KnnSettings(k=k), whole)
    assert learnt.for_serving(whole).settings.search.kind == "exact"


@pytest.mark.parametrize(
    ("settings", "tensors", "reason"),
    [
        (KnnSettings(), {}, "lacks vectors"),
        (KnnSettings(), {"vectors": float32([1, 2])}, "2 axes"),
        (KnnSettings(), {"vectors": float32([[1, np.nan]])}, "NaN"),
        (KnnSettings(), {"vectors": np.ones((0, 3), dtype=np.float32)}, "N and D"),
        (KnnSettings(), {"vectors": float32([[1]]), "more": float32([1])}, "holds more"),
        (
            KnnSettings(search=SearchPlan(kind="lists", lists=1, probes=1, thorough_probes=1)),
            {"vectors": float32([[1.0]])},
            "lacks centroids, list_of",
        ),
        (
            KnnSettings(search=SearchPlan(kind="lists", lists=1, probes=1)),
            {"vectors": float32([[1.0]])},
            "reads no list",
        ),
    ],
)
def test_tensors_that_are_no_bank_are_refused(
    settings: KnnSettings, tensors: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BankError, match=reason):
        Knn.load(settings, tensors)


def test_lists_and_the_plan_belong_together() -> None:
    bank = MemoryBank(float32([[1.0]]))
    with pytest.raises(BankError, match="not as its manifest says"):
        Knn(KnnSettings(search=SearchPlan(kind="lists", lists=1)), bank)

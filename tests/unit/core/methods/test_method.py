from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.core.errors import BankError, NonFiniteScore
from app.core.features.sample import Sample
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.method import Lesson, Scorer, checked
from app.core.methods.scoring import Scoring

SHAPES: dict[str, tuple[Any, int]] = {"mean": (np.float32, 2), "code": (np.int32, 1)}
TENSORS: dict[str, Any] = {
    "mean": np.ones((2, 3), dtype=np.float32),
    "code": np.ones(4, dtype=np.int32),
}


def sample(value: float, shape: tuple[int, int] = (2, 3)) -> Sample:
    return Sample(np.full((*shape, 2), value, dtype=np.float32), 1, 2, (8, 8))


def lesson(*values: float) -> Lesson:
    return Lesson([sample(v) for v in values], [str(v) for v in values], Scoring())


def test_a_part_of_a_lesson_has_its_own_samples_and_groups_and_is_silent() -> None:
    told: list[object] = []
    whole = Lesson([sample(v) for v in (0, 1, 2)], list("abc"), Scoring(), warn=told.append)
    part = whole.of([2, 0])
    assert [float(part.samples[i].cells.max()) for i in range(len(part))] == [2, 0]
    assert list(part.groups) == ["c", "a"]
    part.warn("nothing")
    part.progress(1, 2)
    assert told == []


def test_a_part_of_a_part_is_taken_from_the_part() -> None:
    part = lesson(0, 1, 2, 3).of([3, 1, 0]).of([2, 0])
    assert [float(part.samples[i].cells.max()) for i in range(2)] == [0, 3]


def test_a_sample_knows_where_its_cells_lie() -> None:
    assert sample(1).place == (slice(1, 3), slice(2, 5))
    assert sample(1).patches.shape == (6, 2)


def test_chosen_dimensions_are_those_of_every_cell() -> None:
    cells = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    only = Sample(cells, 0, 0, (2, 2)).only(np.array([2, 0]))
    np.testing.assert_array_equal(only.cells, cells[..., [2, 0]])


def test_a_scorer_asks_for_as_many_of_the_highest_as_make_the_score() -> None:
    asked: list[int] = []

    class Asked(Knn):
        def score(self, sample: Sample, highest: int) -> Any:
            asked.append(highest)
            return super().score(sample, highest)

    learnt = Asked(KnnSettings(), MemoryBank(np.zeros((1, 2), dtype=np.float32)))
    score = Scorer(learnt, Scoring(top_share=0.5)).score(sample(3))
    assert asked == [3]
    assert score == pytest.approx(3 * np.sqrt(2))


def test_a_photo_without_a_finite_score_has_none() -> None:
    learnt = Knn(KnnSettings(), MemoryBank(np.zeros((1, 2), dtype=np.float32)))
    with pytest.raises(NonFiniteScore):
        Scorer(learnt, Scoring()).score(sample(float("nan")))


def test_tensors_that_fit_are_taken() -> None:
    assert checked(TENSORS, SHAPES) is TENSORS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mean": None}, "lacks mean"),
        ({"other": TENSORS["mean"]}, "holds other"),
        ({"mean": TENSORS["mean"].astype(np.float64)}, "must be float32"),
        ({"mean": TENSORS["mean"][0]}, "2 axes"),
        ({"code": TENSORS["code"].astype(np.int64)}, "must be int32"),
        ({"mean": TENSORS["mean"] * np.float32(np.nan)}, "NaN or infinite"),
        ({"mean": TENSORS["mean"] + np.float32(np.inf)}, "NaN or infinite"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(changes: dict[str, Any], reason: str) -> None:
    given = {n: t for n, t in (TENSORS | changes).items() if t is not None}
    with pytest.raises(BankError, match=reason):
        checked(given, SHAPES)

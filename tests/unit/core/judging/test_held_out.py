from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.core.errors import CalibrationError
from app.core.features.sample import Sample
from app.core.judging.calibration import assign_folds
from app.core.judging.held_out import hold_out
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.method import Lesson, Scorer
from app.core.methods.scoring import Scoring

SCORING = Scoring(top_share=0.5, smoothing=0.5)
PHOTOS = np.random.default_rng(0).random((10, 3, 4, 2), dtype=np.float32)
GROUPS = [f"sku{i // 2}" for i in range(10)]


def lesson(photos: Any = PHOTOS, groups: list[str] = GROUPS) -> Lesson:
    return Lesson([Sample(p, 0, 0, p.shape[:2]) for p in photos], groups, SCORING)


def test_each_fold_is_scored_by_what_learnt_from_the_others() -> None:
    whole = lesson()
    settings = KnnSettings(coreset_ratio=0.5)
    found = hold_out(Knn.fit(settings, whole), whole, folds=3, seed=1)
    folds = assign_folds(GROUPS, 3, 1)
    for index in range(len(whole)):
        others = np.flatnonzero(folds != folds[index]).tolist()
        scorer = Scorer(Knn.fit(settings, whole.of(others)), SCORING)
        cells = scorer.cells(whole.samples[index])
        shown = SCORING.score_map(cells)
        assert found.scores[index] == np.float32(SCORING.image_score(cells))
        assert found.peaks[index] == shown.max()
        assert found.medians[index] == np.median(shown)


def test_a_photo_never_lies_in_what_scores_it() -> None:
    """A bank that holds a photo gives it 0; equal ones of one group leave together."""
    twins = np.repeat(PHOTOS[:5], 2, axis=0)
    whole = lesson(twins)
    found = hold_out(Knn.fit(KnnSettings(), whole), whole, folds=5, seed=0)
    assert (found.scores > 0.01).all()


def test_a_method_that_can_leave_one_out_is_asked_to() -> None:
    whole = lesson(PHOTOS[:, :1, :1])
    learnt = Knn.fit(KnnSettings(), whole)
    found = hold_out(learnt, whole, folds=2, seed=0)
    np.testing.assert_array_equal(found.scores, learnt.leave_one_out(whole))
    np.testing.assert_array_equal(found.peaks, found.scores)


def test_progress_ends_at_the_number_of_photos() -> None:
    seen: list[tuple[int, int]] = []
    whole = lesson()
    hold_out(
        Knn.fit(KnnSettings(), whole), whole, folds=4, seed=0, progress=lambda *at: seen.append(at)
    )
    assert seen == [(done, 10) for done in range(1, 11)]


def test_one_group_alone_cannot_be_left_out() -> None:
    whole = lesson(groups=["one"] * 10)
    with pytest.raises(CalibrationError, match="2 groups"):
        hold_out(Knn.fit(KnnSettings(), whole), whole, folds=5, seed=0)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.core.errors import BankError, CalibrationError, PresetError
from app.core.features.sample import Sample
from app.core.judging.held_out import hold_out
from app.core.methods.gaussian import Gaussian, GaussianSettings
from app.core.methods.method import Lesson, Scorer
from app.core.methods.scoring import Scoring

GRID, D = (3, 4), 5


def sample(cells: Any, top: int = 0, left: int = 0, grid: tuple[int, int] = GRID) -> Sample:
    return Sample(np.asarray(cells, dtype=np.float32), top, left, grid)


def lesson(samples: list[Sample]) -> Lesson:
    return Lesson(samples, [str(i) for i in range(len(samples))], Scoring())


def drawn(seed: int, photos: int, spread: float = 1.0) -> Any:
    """Each place has a mean and correlations of its own."""
    chance = np.random.default_rng(seed)
    mean = chance.normal(size=(*GRID, D)) * 3
    mix = chance.normal(size=(*GRID, D, D)) * spread
    return mean + np.einsum("hwij,nhwj->nhwi", mix, chance.normal(size=(photos, *GRID, D)))


def by_definition(cells: Any, photos: Any, shrinkage: float) -> Any:
    """Mahalanobis distances, place by place, from the formulas."""
    found = np.empty(GRID)
    for row in range(GRID[0]):
        for column in range(GRID[1]):
            here = photos[:, row, column].astype(np.float64)
            covariance = np.cov(here, rowvar=False)
            sphere = np.trace(covariance) / D * np.eye(D)
            shrunk = (1 - shrinkage) * covariance + shrinkage * sphere
            apart = cells[row, column] - here.mean(axis=0)
            found[row, column] = np.sqrt(apart @ np.linalg.inv(shrunk) @ apart)
    return found


@given(seed=st.integers(0, 999), photos=st.integers(8, 60), shrinkage=st.floats(0.01, 0.9))
def test_scores_are_the_definitions(seed: int, photos: int, shrinkage: float) -> None:
    good, other = drawn(seed, photos), drawn(seed + 5000, 1)[0]
    learnt = Gaussian.fit(GaussianSettings(shrinkage=shrinkage), lesson([sample(g) for g in good]))
    expected = by_definition(other, good.astype(np.float32), shrinkage)
    np.testing.assert_allclose(learnt.score(sample(other), 1), expected, rtol=5e-3)


@given(seed=st.integers(0, 99), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_the_unit_of_the_features_does_not_matter(seed: int, scale: float) -> None:
    good, other = drawn(seed, 30), drawn(seed + 1, 1)[0]
    one = Gaussian.fit(GaussianSettings(), lesson([sample(g) for g in good]))
    two = Gaussian.fit(GaussianSettings(), lesson([sample(g * scale) for g in good]))
    found = two.score(sample(other * scale), 1)
    np.testing.assert_allclose(found, one.score(sample(other), 1), rtol=5e-3)


def test_a_place_knows_what_is_usual_there_and_nowhere_else() -> None:
    good = drawn(0, 60, spread=0.1)
    learnt = Gaussian.fit(GaussianSettings(), lesson([sample(g) for g in good]))
    swapped = good[0].copy()
    swapped[0, 0], swapped[2, 3] = good[0][2, 3], good[0][0, 0]
    scores = learnt.score(sample(swapped), 1)
    rest = np.delete(scores.ravel(), [0, 11])
    assert min(scores[0, 0], scores[2, 3]) > 3 * rest.max()


def test_a_part_of_the_grid_is_scored_by_its_own_places() -> None:
    good = drawn(1, 40)
    learnt = Gaussian.fit(GaussianSettings(), lesson([sample(g) for g in good]))
    whole = learnt.score(sample(good[3]), 1)
    part = learnt.score(sample(good[3][1:, 2:], top=1, left=2), 1)
    np.testing.assert_allclose(part, whole[1:, 2:], rtol=1e-6)


def test_photos_that_show_a_part_of_the_grid_are_learnt_where_they_lie() -> None:
    good = drawn(2, 40)
    mixed = [sample(g) for g in good[:20]] + [sample(g[:2], top=0) for g in good[20:]]
    learnt = Gaussian.fit(GaussianSettings(), lesson(mixed))
    expected = by_definition(good[0], good.astype(np.float32), 0.1)
    np.testing.assert_allclose(learnt.score(mixed[0], 1)[:2], expected[:2], rtol=5e-3)


def test_places_that_hardly_any_photo_shows_take_what_is_usual_everywhere() -> None:
    good = drawn(3, 30)
    low = [sample(g[:2]) for g in good] + [sample(good[0])]
    learnt = Gaussian.fit(GaussianSettings(), lesson(low))
    rare = learnt.mean.reshape(*GRID, D)[2]
    np.testing.assert_allclose(rare, np.broadcast_to(rare[0], rare.shape))
    assert np.isfinite(learnt.score(sample(good[5]), 1)).all()


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_good_photos_without_any_difference_give_finite_scores(value: float) -> None:
    same = [sample(np.full((*GRID, D), value)) for _ in range(12)]
    learnt = Gaussian.fit(GaussianSettings(), lesson(same))
    assert (learnt.score(same[0], 1) == 0).all()
    other = learnt.score(sample(np.full((*GRID, D), value + 1)), 1)
    assert np.isfinite(other).all()
    assert (other > 100).all()


@pytest.mark.parametrize("photos", [1, 2, 7])
def test_too_few_photos_are_refused_rather_than_taken_for_a_bank(photos: int) -> None:
    with pytest.raises(CalibrationError, match="10 good photos or more"):
        Gaussian.fit(GaussianSettings(), lesson([sample(g) for g in drawn(4, photos)]))


@pytest.mark.parametrize("rare", [7, 9, 12])
def test_a_fold_judges_each_place_by_the_measure_of_the_whole(rare: int) -> None:
    """Squares among landscape photos: what only they show has pooled statistics in every fold, as
    in the whole, so that a new square scores as the held-out ones do."""
    good = drawn(8, 100 + 40)
    photos = [sample(g[1:] if i >= rare else g, top=int(i >= rare)) for i, g in enumerate(good)]
    whole = lesson(photos[:100])
    learnt = Gaussian.fit(GaussianSettings(), whole)
    held_out = hold_out(learnt, whole, folds=5, seed=0).scores[:rare]
    scorer = Scorer(learnt, whole.scoring)
    new = [scorer.score(sample(g)) for g in good[100:]]
    assert np.median(new) == pytest.approx(np.median(held_out), rel=0.5)


def test_what_is_stored_comes_back_and_scores_the_same() -> None:
    good = drawn(6, 20)
    learnt = Gaussian.fit(GaussianSettings(), lesson([sample(g) for g in good]))
    again = Gaussian.load(learnt.settings, learnt.tensors())
    np.testing.assert_array_equal(again.score(sample(good[1]), 1), learnt.score(sample(good[1]), 1))
    assert again.facts() == learnt.facts() == {"places": 12, "dimensions": D}


def test_more_than_memory_is_kept_for_is_refused_with_the_way_out() -> None:
    wide = Sample(np.zeros((64, 64, 200), dtype=np.float32), 0, 0, (64, 64))
    with pytest.raises(PresetError, match=r"keep 90 dimensions at most.*\[selection\]"):
        Gaussian.fit(GaussianSettings(), lesson([wide, wide]))


@pytest.mark.parametrize(
    ("cells", "grid"),
    [((*GRID, D + 1), GRID), ((2, 2, D), (2, 2)), ((1, 1, D), (1, 1))],
)
def test_cells_that_were_not_learnt_are_refused(
    cells: tuple[int, ...], grid: tuple[int, int]
) -> None:
    learnt = Gaussian.fit(GaussianSettings(), lesson([sample(g) for g in drawn(7, 10)]))
    with pytest.raises(BankError, match="12 places of 5"):
        learnt.score(sample(np.zeros(cells), grid=grid), 1)


TENSORS = {"mean": np.zeros((2, 3), dtype=np.float32), "whitening": np.ones((2, 6), np.float32)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mean": None}, "lacks mean"),
        ({"more": TENSORS["mean"]}, "holds more"),
        ({"mean": np.zeros((0, 3), dtype=np.float32)}, "none that are learnt"),
        ({"mean": np.zeros((2, 4), dtype=np.float32)}, "whitening of"),
        ({"mean": np.broadcast_to(np.float32(0), (1 << 14, 1 << 14))}, "none that are learnt"),
        ({"whitening": np.ones((3, 6), dtype=np.float32)}, "whitening of"),
        ({"whitening": np.full((2, 6), np.nan, dtype=np.float32)}, "NaN"),
    ],
)
def test_tensors_that_are_no_gaussians_are_refused(changes: dict[str, Any], reason: str) -> None:
    given_ = {n: t for n, t in (TENSORS | changes).items() if t is not None}
    with pytest.raises(BankError, match=reason):
        Gaussian.load(GaussianSettings(), given_)


@pytest.mark.parametrize("shrinkage", [0, 1e-12, 1, -0.1, float("nan")])
def test_a_shrinkage_without_sense_is_refused(shrinkage: float) -> None:
    with pytest.raises(ValidationError):
        GaussianSettings(shrinkage=shrinkage)

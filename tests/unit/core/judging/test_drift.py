from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from app.core.judging.drift import MIN_PHOTOS, drift

RNG = np.random.default_rng(5)
GOOD = RNG.normal(10, 1, 300).astype(np.float32)


def test_few_photos_say_nothing() -> None:
    assert drift(GOOD, np.full(MIN_PHOTOS - 1, 10.0)) is None
    assert drift(GOOD, np.full(MIN_PHOTOS, 10.0)) is not None


def test_scores_of_the_same_photos_have_not_moved() -> None:
    found = drift(GOOD, RNG.normal(10, 1, 500))
    assert found is not None
    assert found.moved == "not"
    assert found.above_median == pytest.approx(0.5, abs=0.07)
    assert found.above_high == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize(("by", "moved"), [(1.0, "up"), (-1.0, "down")])
def test_scores_that_have_moved_are_told_with_their_way(by: float, moved: str) -> None:
    photos = RNG.normal(10 + by, 1, 200)
    found = drift(GOOD, photos)
    assert found is not None
    assert found.moved == moved
    assert found.distance == pytest.approx(ks_2samp(GOOD, photos).statistic, abs=1e-6)
    assert found.above_high == (photos > np.quantile(GOOD.astype(float), 0.9)).mean()


def test_a_difference_that_nobody_sees_is_none_however_many_photos_there_are() -> None:
    found = drift(RNG.normal(10, 1, 20_000).astype(np.float32), RNG.normal(10.1, 1, 20_000))
    assert found is not None
    assert found.p_value < 1e-6
    assert found.moved == "not"


def test_a_great_difference_of_few_scores_may_be_chance() -> None:
    found = drift(GOOD[:4], RNG.normal(10.5, 1, 60))
    assert found is not None
    assert found.moved == "not"


@given(
    st.lists(st.floats(0, 1e6, width=32), min_size=2, max_size=40),
    st.lists(st.floats(0, 1e6), min_size=MIN_PHOTOS, max_size=80),
)
def test_both_histograms_hold_every_score(calibration: list[float], photos: list[float]) -> None:
    found = drift(np.array(calibration, np.float32), np.array(photos))
    assert found is not None
    assert sum(found.calibration) == pytest.approx(1)
    assert sum(found.photos) == pytest.approx(1)
    assert found.edges == sorted(found.edges)
    assert len(found.edges) == len(found.photos) + 1

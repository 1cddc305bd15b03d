from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError

from app.core.errors import NonFiniteScore
from app.core.methods.scoring import Scoring

distances = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 5)),
    elements=st.floats(0, 1000, width=32),
)


@given(distances=distances)
def test_an_images_score_is_that_of_its_worst_patch(distances: np.ndarray) -> None:
    scores = distances[:, 0]
    assert Scoring().image_score(scores) == max(map(float, scores))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(NonFiniteScore):
        Scoring().image_score(np.array([0.5, value, 1.0], dtype=np.float32))


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_a_share_is_one(value: float) -> None:
    with pytest.raises(ValidationError):
        Scoring(top_share=value)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 9.0), (0.2, 8.5), (0.1, 9.0), (1.0, 4.5)])
def test_a_share_averages_the_highest_patches(share: float, expected: float) -> None:
    scores = np.random.default_rng(0).permutation(10).astype(np.float32)
    assert Scoring(top_share=share).image_score(scores) == pytest.approx(expected)


@given(distances=distances, share=st.floats(0, 1))
def test_a_share_never_exceeds_the_worst_patch(distances: np.ndarray, share: float) -> None:
    scores = distances[:, 0]
    assert Scoring(top_share=share).image_score(scores) <= scores.max() * (1 + 1e-6)


def test_a_map_is_the_patches_on_their_grid() -> None:
    scores = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(Scoring().score_map(scores), scores)


def test_smoothing_spreads_a_peak_and_keeps_its_place() -> None:
    scores = np.zeros((9, 9), dtype=np.float32)
    scores[2, 6] = 1
    smooth = Scoring(smoothing=1.0).score_map(scores)
    assert divmod(int(smooth.argmax()), 9) == (2, 6)
    assert 0 < smooth[2, 5] < smooth[2, 6] < 1


def test_smoothing_leaves_an_even_map_even() -> None:
    even = np.full((5, 5), 3.0, dtype=np.float32)
    np.testing.assert_allclose(Scoring(smoothing=2.0).score_map(even), 3.0, rtol=1e-6)


@given(
    share=st.floats(0, 1),
    whole=st.integers(1, 5000),
    part=st.floats(0.001, 1),
)
def test_as_many_patches_count_whatever_is_looked_at(share: float, whole: int, part: float) -> None:
    scoring, looked = Scoring(top_share=share), max(1, round(part * whole))
    found = scoring.counted(looked, whole)
    assert 1 <= found <= max(1, looked)
    assert scoring.counted(looked) <= found <= max(1, scoring.counted(whole))
    assert scoring.counted(whole, whole) == scoring.counted(whole)


def test_of_a_small_region_few_patches_count() -> None:
    scoring = Scoring(top_share=0.01)
    assert scoring.counted(1024, 1024) == 10
    assert scoring.counted(240, 1024) == 10
    assert scoring.counted(40, 1024) == 2
    assert scoring.counted(4, 1024) == 1
    scores = np.arange(240, dtype=np.float32)
    assert scoring.image_score(scores, 1024) == np.arange(230, 240).mean()

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
def test_a_patchs_score_is_the_mean_over_its_neighbours(distances: np.ndarray) -> None:
    np.testing.assert_allclose(
        Scoring(k=distances.shape[1]).patch_scores(distances),
        [sum(map(float, row)) / len(row) for row in distances],
        rtol=1e-5,
        atol=1e-5,
    )


@given(distances=distances)
def test_an_images_score_is_that_of_its_worst_patch(distances: np.ndarray) -> None:
    scores = distances[:, 0]
    assert Scoring().image_score(scores) == max(map(float, scores))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(NonFiniteScore):
        Scoring().image_score(np.array([0.5, value, 1.0], dtype=np.float32))


@pytest.mark.parametrize("k", [0, -1])
def test_at_least_one_neighbour_is_asked(k: int) -> None:
    with pytest.raises(ValidationError):
        Scoring(k=k)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 9.0), (0.2, 8.5), (0.1, 9.0), (1.0, 4.5)])
def test_a_share_averages_the_highest_patches(share: float, expected: float) -> None:
    scores = np.random.default_rng(0).permutation(10).astype(np.float32)
    assert Scoring(top_share=share).image_score(scores) == pytest.approx(expected)


@given(distances=distances, share=st.floats(0, 1))
def test_a_share_never_exceeds_the_worst_patch(distances: np.ndarray, share: float) -> None:
    scores = distances[:, 0]
    assert Scoring(top_share=share).image_score(scores) <= scores.max() * (1 + 1e-6)


def test_a_map_is_the_patches_on_their_grid() -> None:
    scores = np.arange(12, dtype=np.float32)
    np.testing.assert_array_equal(Scoring().score_map(scores, (3, 4)), scores.reshape(3, 4))


def test_smoothing_spreads_a_peak_and_keeps_its_place() -> None:
    scores = np.zeros((9, 9), dtype=np.float32)
    scores[2, 6] = 1
    smooth = Scoring(smoothing=1.0).score_map(scores.ravel(), (9, 9))
    assert divmod(int(smooth.argmax()), 9) == (2, 6)
    assert 0 < smooth[2, 5] < smooth[2, 6] < 1


def test_smoothing_leaves_an_even_map_even() -> None:
    even = np.full(25, 3.0, dtype=np.float32)
    np.testing.assert_allclose(Scoring(smoothing=2.0).score_map(even, (5, 5)), 3.0, rtol=1e-6)

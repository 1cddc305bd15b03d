from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.building.selection import HighestStd, RandomDimensions
from app.core.features.sample import Sample


def samples(seed: int, photos: int, d: int, shift: float = 0.0) -> list[Sample]:
    drawn = np.random.default_rng(seed)
    widths = drawn.permutation(d) + 1
    cells = (drawn.normal(size=(photos, 2, 3, d)) * widths + shift).astype(np.float32)
    return [Sample(c, 0, 0, (2, 3)) for c in cells]


@given(
    seed=st.integers(0, 999),
    photos=st.integers(1, 9),
    d=st.integers(1, 12),
    keep=st.integers(1, 20),
    shift=st.sampled_from([0.0, 1000.0]),
)
def test_the_dimensions_kept_have_the_highest_deviation(
    seed: int, photos: int, d: int, keep: int, shift: float
) -> None:
    given_ = samples(seed, photos, d, shift)
    columns = HighestStd(keep=keep).columns(given_)
    std = np.concatenate([s.patches for s in given_]).astype(np.float64).std(axis=0)
    assert len(columns) == min(keep, d)
    assert (np.diff(columns) > 0).all()
    left = np.setdiff1d(np.arange(d), columns)
    assert not len(left) or std[columns].min() >= std[left].max() - 1e-6


@given(seed=st.integers(0, 99), d=st.integers(1, 40), keep=st.integers(1, 50))
def test_dimensions_drawn_by_chance_are_distinct_and_the_same_each_time(
    seed: int, d: int, keep: int
) -> None:
    rule, given_ = RandomDimensions(keep=keep, seed=seed), samples(0, 1, d)
    columns = rule.columns(given_)
    assert len(columns) == min(keep, d)
    assert (np.diff(columns) > 0).all()
    assert set(columns.tolist()) <= set(range(d))
    np.testing.assert_array_equal(rule.columns(samples(5, 2, d)), columns)


def test_another_seed_draws_others() -> None:
    given_ = samples(0, 1, 40)
    one, two = (RandomDimensions(keep=10, seed=s).columns(given_).tolist() for s in (0, 1))
    assert one != two


@pytest.mark.parametrize("rule", [HighestStd, RandomDimensions])
def test_nothing_kept_is_no_selection(rule: type[HighestStd] | type[RandomDimensions]) -> None:
    with pytest.raises(ValueError, match="keep"):
        rule(keep=0)

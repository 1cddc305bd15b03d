"""Damage on photos of any size, grey and in colour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.evaluating.damage.drawn import (
    BOUNDS,
    KINDS,
    SIZES,
    Kind,
    Size,
    aimed_at,
    draw_damage,
)
from app.core.evaluating.damage.goods import Goods
from app.core.evaluating.damage.pixels import Photo
from tests.support import textured


def some_photo(height: int, width: int, seed: int, *, grey: bool) -> Photo:
    photo = np.asarray(textured(width, height)).astype(float)
    photo += np.random.default_rng(seed).normal(0, 4, photo.shape)
    photo = np.clip(photo, 0, 255).astype(np.uint8)
    return np.repeat(photo[..., :1], 3, axis=-1) if grey else photo


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(32, 240),
    width=st.integers(32, 240),
    kind=st.sampled_from(KINDS),
    size=st.sampled_from(list(SIZES)),
    seed=st.integers(0, 1 << 31),
    grey=st.booleans(),
)
def test_the_mask_is_what_changed_and_of_the_size_asked_for(
    height: int, width: int, kind: Kind, size: Size, seed: int, *, grey: bool
) -> None:
    photo = some_photo(height, width, seed, grey=grey)
    donor = some_photo(40, 50, seed + 1, grey=grey)
    before = photo.copy()
    made = draw_damage(photo, donor, kind, size, Goods.everywhere(), np.random.default_rng(seed))
    assert np.array_equal(photo, before)
    assert made.photo.dtype == np.uint8
    assert np.array_equal((made.photo != photo).any(-1), made.mask)
    low, high = (bound * aimed_at(photo, size, Goods.everywhere()) for bound in BOUNDS)
    assert low <= made.mask.sum() <= high
    assert made.kind in (kind, "blot")
    assert made.size == size
    assert not grey or np.ptp(made.photo, axis=-1).max() == 0
    again = draw_damage(photo, donor, kind, size, Goods.everywhere(), np.random.default_rng(seed))
    assert np.array_equal(again.photo, made.photo)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_damage_shows_on_one_colour_too(kind: Kind, grey: int) -> None:
    """A dent in it could not be seen: something else is drawn."""
    photo = np.full((64, 64, 3), grey, dtype=np.uint8)
    made = draw_damage(photo, photo, kind, "large", Goods.everywhere(), np.random.default_rng(0))
    assert made.mask.sum() >= BOUNDS[0] * aimed_at(photo, "large", Goods.everywhere())


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_draws_otherwise(kind: Kind) -> None:
    photo, donor = some_photo(96, 128, 0, grey=False), some_photo(96, 128, 1, grey=False)
    one, other = (
        draw_damage(photo, donor, kind, "medium", Goods.everywhere(), np.random.default_rng(seed))
        for seed in (0, 1)
    )
    assert not np.array_equal(one.mask, other.mask)


def test_damage_lies_where_the_goods_are() -> None:
    probability = np.full((8, 8), 0.05, dtype=np.float32)
    probability[3:5, 3:5] = 1.0
    goods = Goods.likely(probability)
    assert goods.area == pytest.approx(float(probability.mean()))
    rng = np.random.default_rng(0)
    places = np.array([goods.place(rng) for _ in range(500)])  # (n, 2) x, y
    inside = ((places > 3 / 8) & (places < 5 / 8)).all(axis=1).mean()
    assert inside == pytest.approx(4 / (4 + 60 * 0.05**2), abs=0.03)


def test_goods_that_fill_the_frame_are_everywhere() -> None:
    rng = np.random.default_rng(0)
    places = np.array([Goods.everywhere().place(rng) for _ in range(2000)])
    quarters = [((places > 0.5) == side).all(axis=1).sum() for side in np.ndindex(2, 2)]
    assert min(quarters) > 400


def test_damage_is_smaller_where_less_shows_the_goods() -> None:
    photo = some_photo(200, 200, 0, grey=False)
    few = Goods(np.ones((1, 1), dtype=np.float32), 0.1)
    assert aimed_at(photo, "large", few) == pytest.approx(0.25 * 0.1 * 200 * 200)

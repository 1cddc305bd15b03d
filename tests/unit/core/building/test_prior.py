from __future__ import annotations

import numpy as np
import pytest

from app.core.arrays import Floats
from app.core.building.prior import learn_prior
from app.core.features.sample import Sample, Samples

SIDE, WIDTH = 16, 6


class Given(Samples):
    def __init__(self, cells: Floats) -> None:
        self._cells = cells

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, index: int) -> Sample:
        return Sample(self._cells[index], 0, 0, self._cells.shape[1:3])


def goods(n: int = 24, *, varied: bool = True, seed: int = 0) -> Floats:
    """Goods of one feature in the middle, before surroundings that differ from photo to photo, or
    are the same."""
    rng = np.random.default_rng(seed)
    cells = rng.normal(0, 0.1, (n, SIDE, SIDE, WIDTH)).astype(np.float32)
    around = rng.normal(0, 2, (n if varied else 1, SIDE, SIDE, WIDTH)).astype(np.float32)
    around[..., 0] = -abs(around[..., 0]) - 1
    inside = np.zeros((SIDE, SIDE, 1), dtype=bool)
    inside[4:12, 5:11] = True
    goods_of = np.zeros(WIDTH, dtype=np.float32)
    goods_of[0] = 3
    return cells + np.where(inside, goods_of, around).astype(np.float32)


def test_goods_in_the_middle_are_found() -> None:
    prior = learn_prior(Given(goods()))
    assert prior.probability.shape == (SIDE, SIDE)
    assert prior.probability[5:11, 6:10].min() > 0.9
    assert prior.probability[:, :3].max() < 0.1
    assert prior.apart > 0.99
    assert prior.varied > 0.75


def test_surroundings_that_are_always_the_same_do_not_vary() -> None:
    prior = learn_prior(Given(goods(varied=False)))
    assert prior.varied < 0.1


def test_where_middle_and_rim_look_alike_they_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(3)
    cells = rng.normal(0, 1, (24, SIDE, SIDE, WIDTH)).astype(np.float32)
    prior = learn_prior(Given(cells))
    assert prior.apart == pytest.approx(0.5, abs=0.1)


def test_the_same_photos_give_the_same_prior() -> None:
    one, two = (learn_prior(Given(goods())) for _ in range(2))
    np.testing.assert_array_equal(one.probability, two.probability)

"""Intervals of photos that are scored good and damaged."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.evaluating.pairing import Labelled, auroc_difference
from app.core.evaluating.photos import photos_difference

EACH = 3


def looks(
    rng: np.random.Generator, photos: int, *, disturbed: float = 2.0
) -> tuple[Labelled, Labelled]:
    """Two looks at the same photos; what disturbs in a photo is the same, good and damaged, and
    the first look sees less of it."""

    def look(seen: float) -> Labelled:
        busy = seen * rng.normal(0, disturbed, photos)
        good = busy + rng.normal(0, 0.5, photos)
        damaged = np.repeat(busy, EACH) + rng.normal(1, 0.5, photos * EACH)
        return good, damaged

    return look(0.5), look(1.0)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """The truth is that of very many photos."""
    rng = np.random.default_rng(0)
    truth = photos_difference(*looks(rng, 20_000), EACH).value
    intervals = [photos_difference(*looks(rng, 60), EACH).ci95 for _ in range(400)]
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.92 <= covered <= 0.98


def test_what_good_and_damaged_share_makes_it_no_wider() -> None:
    pair = looks(np.random.default_rng(1), 60)
    here, apart = photos_difference(*pair, EACH), auroc_difference(*pair, each=EACH)
    assert here.value == pytest.approx(apart.value)
    assert np.ptp(here.ci95) < 0.8 * np.ptp(apart.ci95)


def test_a_look_against_itself_differs_by_nothing() -> None:
    own, _ = looks(np.random.default_rng(2), 30)
    assert photos_difference(own, own, EACH).ci95 == (0.0, 0.0)


def test_labels_without_overlap_keep_the_wider_interval() -> None:
    good, damaged = np.arange(10.0), np.arange(100.0, 130.0)
    mixed = np.arange(10.0), np.linspace(0, 20, 30)
    here = photos_difference((good, damaged), mixed, EACH)
    assert here == auroc_difference((good, damaged), mixed, each=EACH)

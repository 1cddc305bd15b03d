"""Goods are told from their surroundings, not from the frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.building.preset import Preset
from app.core.building.prior import learn_prior
from app.core.building.reading import read_batches
from app.core.choosing.following import LEAST_FOLLOWS, Finder, learn_finder
from app.core.features.extractor import FeatureExtractor
from app.core.features.sample import Sample
from app.core.features.spool import Spool
from app.core.photo.dataset import Category
from app.core.photo.images import MAX_PIXELS
from tests.support import write_photos

from .scenes import before_a_busy_shelf, category, looking_at, texture


def finder(source: Category, extractor: FeatureExtractor) -> Finder:
    return learn_finder(source.train[::2], source.train[1::2], extractor, MAX_PIXELS)


def seen(paths: list[Path], extractor: FeatureExtractor) -> list[Sample]:
    return [
        extractor.sample(features, photo.prepared)
        for photos, _ in read_batches(paths, extractor)
        for features, photo in zip(
            extractor.embed([photo.prepared for photo in photos]), photos, strict=True
        )
    ]


@pytest.mark.parametrize("padding", [0.0, 0.2, 2.0])
@pytest.mark.parametrize(("drawn", "are_there"), [(before_a_busy_shelf, True), (texture, False)])
def test_padding_tells_nothing(
    drawn: Callable[[int], Image.Image],
    padding: float,
    preset: Preset,
    tmp_path: Path,
    *,
    are_there: bool,
) -> None:
    found = finder(category(tmp_path, drawn), looking_at(preset, padding))
    assert (found.follows >= LEAST_FOLLOWS) == are_there
    assert are_there or found.follows == pytest.approx(0.5, abs=0.15)


def test_damage_is_drawn_on_the_goods_of_each_photo(
    preset: Preset, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    """A carton that stands aside is found there, not where the others are."""
    source = category(tmp_path, before_a_busy_shelf)
    with Spool() as spool:
        for sample in seen(list(source.train), extractor):
            spool.append(sample)
        prior = learn_prior(spool)
    aside = Image.fromarray(np.roll(np.asarray(before_a_busy_shelf(99)), 20, axis=1))
    write_photos(tmp_path / "aside", [aside])
    (sample,) = seen(sorted((tmp_path / "aside").iterdir()), extractor)
    goods = finder(source, extractor).goods(sample, prior)
    rng = np.random.default_rng(0)
    places = np.array([goods.place(rng) for _ in range(400)]) * 160  # x, y; pixels
    left, top, right, bottom = 54 + 20, 44, 106 + 20, 116
    x, y = places.T
    on_it = (x > left - 8) & (x < right + 8) & (y > top - 8) & (y < bottom + 8)
    assert on_it.mean() > 0.9
    assert 0 < goods.area < 0.5

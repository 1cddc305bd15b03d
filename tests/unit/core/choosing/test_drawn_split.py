"""A drawn test split, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.building.preset import Preset
from app.core.choosing.choose import FEWEST_PHOTOS
from app.core.choosing.drawn_split import DrawnSplit, draw_split
from app.core.choosing.trials import EACH
from app.core.errors import DatasetError
from app.core.evaluating.damage.drawn import KINDS
from app.core.features.extractor import FeatureExtractor
from app.core.photo.dataset import Category, read_category
from tests.support import colour_extractor, encode, write_category, write_photos

from .scenes import before_a_busy_shelf, category, texture

TESTED = 3


def with_copies_and_good_tests(root: Path) -> Category:
    """18 different photos, one of them twice; three in test/good, and a copy of a training one."""
    category(root, texture, 18)
    train = root / "box/train/good"
    (train / "again.png").write_bytes((train / "photo_004.png").read_bytes())
    tested = [texture(seed) for seed in range(100, 100 + TESTED)]
    write_photos(root / "box/test/good", [*tested, texture(5)])
    return read_category(root, "box")


@pytest.fixture(scope="module")
def drawn(
    tmp_path_factory: pytest.TempPathFactory, extractor: FeatureExtractor
) -> tuple[Category, DrawnSplit]:
    source = with_copies_and_good_tests(tmp_path_factory.mktemp("data"))
    return source, draw_split(source, [extractor], tmp_path_factory.mktemp("drawn"))


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_third_is_held_out_and_good_tests_too(drawn: tuple[Category, DrawnSplit]) -> None:
    source, found = drawn
    assert len(found.held_out) == 6 + TESTED
    assert (found.facts.learnt, found.facts.held_out) == (12, 6 + TESTED)
    assert found.facts.damaged == EACH * (6 + TESTED)
    assert set(found.category.train) < set(source.train)


def test_nothing_that_is_learnt_from_shows_what_is_held_out(
    drawn: tuple[Category, DrawnSplit],
) -> None:
    _, found = drawn
    learnt = {path.read_bytes() for path in found.category.train}
    assert learnt.isdisjoint(path.read_bytes() for path in found.held_out)
    good = [pixels(image.path) for image in found.category.test if not image.is_defective]
    assert not any(
        np.array_equal(pixels(path), one) for path in found.category.train for one in good
    )


def test_copies_of_what_is_learnt_are_learnt_from_and_counted_once(
    drawn: tuple[Category, DrawnSplit],
) -> None:
    _, found = drawn
    twice = {"photo_004.png", "again.png"}
    names = {path.name for path in found.category.train}
    assert twice <= names or twice.isdisjoint(names)
    assert len(found.category.train) == found.facts.learnt + (twice <= names)


def test_good_photos_come_first_then_the_damaged_ones_of_each(
    drawn: tuple[Category, DrawnSplit],
) -> None:
    """As intervals of photos with their copies need it."""
    _, found = drawn
    n = len(found.held_out)
    good, damaged = found.category.test[:n], found.category.test[n:]
    assert not any(image.is_defective for image in good)
    assert {image.defect_type for image in damaged} == set(KINDS)
    for index, own in enumerate(good):
        copies = damaged[EACH * index : EACH * (index + 1)]
        assert all(one.path.stem.startswith(own.path.stem) for one in copies)


def test_a_mask_marks_exactly_what_was_changed(drawn: tuple[Category, DrawnSplit]) -> None:
    _, found = drawn
    n = len(found.held_out)
    for index, image in enumerate(found.category.test[n:]):
        before, after = pixels(found.category.test[index // EACH].path), pixels(image.path)
        assert image.mask is not None
        marked = pixels(image.mask)[..., 0] > 0
        assert marked.any()
        assert np.array_equal(marked, (before != after).any(axis=-1))


def test_a_held_out_photo_is_drawn_on_as_it_lies_in_the_folder(
    drawn: tuple[Category, DrawnSplit],
) -> None:
    _, found = drawn
    for path, image in zip(found.held_out, found.category.test, strict=False):
        assert np.array_equal(pixels(path), pixels(image.path))


def test_damage_is_drawn_on_the_goods_where_they_are_found(
    preset: Preset, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    source = category(tmp_path / "data", before_a_busy_shelf)
    found = draw_split(source, [colour_extractor(), extractor], tmp_path / "drawn")
    assert preset.features.pooling == "patches"
    assert found.facts.goods == "found"
    inside = np.zeros((160, 160), dtype=bool)
    inside[36:124, 46:114] = True  # the carton, wherever it stands
    masks = [pixels(image.mask)[..., 0] > 0 for image in found.category.test if image.mask]
    assert np.mean([mask[inside].sum() / mask.sum() for mask in masks]) > 0.75


def test_features_without_places_leave_damage_anywhere(tmp_path: Path) -> None:
    source = category(tmp_path / "data", before_a_busy_shelf, FEWEST_PHOTOS)
    found = draw_split(source, [colour_extractor()], tmp_path / "drawn")
    assert found.facts.goods == "everywhere"
    assert (found.facts.learnt, found.facts.held_out) == (10, 5)


def test_the_same_photos_give_the_same_damage(tmp_path: Path) -> None:
    source = category(tmp_path / "data", texture, FEWEST_PHOTOS)
    first, second = (
        draw_split(source, [colour_extractor()], tmp_path / name) for name in ("a", "b")
    )
    for one, other in zip(first.category.test, second.category.test, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_too_few_photos_are_said_to_be(tmp_path: Path) -> None:
    write_category(tmp_path)
    with pytest.raises(DatasetError, match="15 different ones or more; here are 10"):
        draw_split(read_category(tmp_path, "can"), [colour_extractor()], tmp_path / "drawn")


def test_a_small_photo_is_said_to_be_too_small(tmp_path: Path) -> None:
    source = category(tmp_path, texture, FEWEST_PHOTOS)
    for path in source.train:
        with Image.open(path) as image:
            path.write_bytes(encode(image.resize((40, 31))))
    with pytest.raises(DatasetError, match="40 × 31 pixels: damage is drawn on 32 a side"):
        draw_split(source, [colour_extractor()], tmp_path / "drawn")

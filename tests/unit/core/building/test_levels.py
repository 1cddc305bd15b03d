from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.building import levels
from app.core.building.build import build_bank
from app.core.detector import Detector
from app.core.errors import UnsupportedImage
from app.core.photo.dataset import read_category
from app.core.photo.pixel_types import FULL_WHITE
from app.core.store import artifact as artifacts
from tests.support import GREYS, METHOD, SPEC, colour_extractor, encode, write_category


def deep(grey: int, times: int) -> bytes:
    """A grey photo with its values multiplied, in 16 bits."""
    return encode(Image.fromarray(np.full((30, 40), grey * times, dtype=np.uint16)))


def deep_category(root: Path, times: int) -> Path:
    folder = write_category(root)
    for path, grey in zip(sorted((folder / "train/good").iterdir()), GREYS, strict=True):
        path.write_bytes(deep(grey, times))
    return folder


@pytest.mark.parametrize(
    ("peak", "white"),
    [(0, 255), (255, 255), (256, 1023), (4080, 4095), (4096, 16_383), (65_520, 65_535)],
)
def test_white_is_the_fewest_bits_that_hold_the_peak(peak: int, white: int) -> None:
    assert levels.Level(1, peak).white == white


def test_photos_of_8_bits_and_broken_files_decide_nothing(tmp_path: Path) -> None:
    folder = write_category(tmp_path) / "train/good"
    (folder / "broken.png").write_bytes(deep(100, 16)[:60])
    (folder / "text.png").write_bytes(b"text")
    level = levels.measure(sorted(folder.iterdir()))
    assert (level.photos, level.white, list(level.remarks())) == (0, FULL_WHITE, [])


def test_a_bank_of_12_bit_photos_scores_as_one_of_8_bits_and_says_so(tmp_path: Path) -> None:
    deep_category(tmp_path, 16)
    build = build_bank(read_category(tmp_path, "can"), METHOD, colour_extractor())
    assert build.artifact.manifest.features.preprocess.white_level == 4095
    assert any("12-bit" in w and "4,095" in w for w in build.warnings)
    artifacts.save(tmp_path / "models", build.artifact)
    stored = artifacts.load(tmp_path / "models", "can")
    detector = Detector(stored, colour_extractor(stored.manifest.features))
    assert detector.inspect(deep(120, 16)).score == pytest.approx(0, abs=0.005)
    assert detector.inspect(deep(20, 16)).is_anomalous
    with pytest.raises(UnsupportedImage, match="12 bits"):
        detector.inspect(deep(250, 257))


def with_hot_pixels(grey: int, times: int, number: int) -> bytes:
    values = np.full((50, 60), grey * times, dtype=np.uint16)
    values.flat[:number] = 65_535
    return encode(Image.fromarray(values))


@pytest.mark.parametrize("times", [1, 4, 16, 64, 257])
def test_a_few_hot_pixels_change_no_level(tmp_path: Path, times: int) -> None:
    folder = deep_category(tmp_path, times) / "train/good"
    level = levels.measure(sorted(folder.iterdir()))
    for path, grey in zip(sorted(folder.iterdir()), GREYS, strict=True):
        path.write_bytes(with_hot_pixels(grey, times, 3))
    assert levels.measure(sorted(folder.iterdir())) == level


def test_more_bright_pixels_than_that_do(tmp_path: Path) -> None:
    folder = deep_category(tmp_path, 16) / "train/good"
    for path, grey in zip(sorted(folder.iterdir()), GREYS, strict=True):
        path.write_bytes(with_hot_pixels(grey, 16, 4))
    assert levels.measure(sorted(folder.iterdir())).white == FULL_WHITE


def test_a_stray_photo_is_named_and_does_not_decide(tmp_path: Path) -> None:
    folder = deep_category(tmp_path, 16) / "train/good"
    stray = sorted(folder.iterdir())[0]
    stray.write_bytes(deep(200, 257))
    level = levels.measure(sorted(folder.iterdir()))
    assert (level.white, level.photos, level.strays) == (4095, len(GREYS) - 1, (stray.name,))
    assert stray.name in list(level.remarks())[-1]


def test_many_photos_of_more_bits_are_no_strays(tmp_path: Path) -> None:
    folder = deep_category(tmp_path, 16) / "train/good"
    for path in sorted(folder.iterdir())[: len(GREYS) // 2]:
        path.write_bytes(deep(200, 257))
    assert levels.measure(sorted(folder.iterdir())).white == FULL_WHITE


@pytest.mark.parametrize(("limit", "white"), [(1200, 4095), (1199, FULL_WHITE)])
def test_photos_are_measured_up_to_the_limit_of_pixels(
    tmp_path: Path, limit: int, white: int
) -> None:
    folder = deep_category(tmp_path, 16) / "train/good"
    assert levels.measure(sorted(folder.iterdir()), limit).white == white


def test_8_bit_photos_keep_the_full_range_and_its_network(tmp_path: Path) -> None:
    write_category(tmp_path)
    build = build_bank(read_category(tmp_path, "can"), METHOD, colour_extractor())
    assert build.artifact.manifest.features == SPEC
    assert build.warnings == ()


def test_specs_of_every_level_share_one_network() -> None:
    preprocess = SPEC.preprocess.model_copy(update={"white_level": 4095})
    other = SPEC.model_copy(update={"preprocess": preprocess})
    assert other != SPEC
    assert other.network_key() == SPEC.network_key()


def test_a_spec_without_a_level_reads_the_full_range() -> None:
    stored = SPEC.model_dump()
    del stored["preprocess"]["white_level"]
    assert type(SPEC).model_validate(stored) == SPEC

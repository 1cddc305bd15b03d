"""Pixel metrics of banks that look at a part of the photo are those of all of it as sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.core.building.build import build_bank
from app.core.detector import Detector
from app.core.evaluating.evaluation import Evaluation, evaluate
from app.core.photo.dataset import read_category, read_test_split
from tests.support import encode, plain, write_photos
from tests.unit.core.features.test_patches import extractor, method

SIZE = 64  # one pixel of the input per pixel of the photo, cells of 8 × 8
LEFT_HALF = [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]
Corners = tuple[int, int, int, int]
INSIDE, OUTSIDE = (8, 16, 24, 48), (40, 16, 56, 48)  # of the left half, of as many pixels


def marked(*boxes: Corners) -> tuple[Image.Image, Image.Image]:
    """A photo with red marks, and its mask."""
    photo, mask = plain(112, (SIZE, SIZE)), Image.new("L", (SIZE, SIZE))
    for box in boxes:
        photo.paste((255, 0, 0), box)
        mask.paste(255, box)
    return photo, mask


def figures(root: Path, look: dict[str, Any], *boxes: Corners) -> Evaluation:
    folder = root / "can"
    good = [plain(s, (SIZE, SIZE)) for s in (108, 112, 116, 112, 110, 114)]
    write_photos(folder / "train" / "good", good)
    write_photos(folder / "test" / "good", [plain(112, (SIZE, SIZE))])
    photo, mask = marked(*boxes)
    write_photos(folder / "test" / "red", [photo])
    truth = folder / "ground_truth" / "red" / "photo_000_mask.png"
    truth.parent.mkdir(parents=True)
    mask.save(truth)
    built = build_bank(read_category(root, "can"), method(look=look), extractor())
    detector = Detector(built.artifact, extractor())
    return evaluate(
        read_test_split(root, "can"),
        detector.manifest,
        detector.inspect,
        anomaly_map=detector.anomaly_map,
    ).evaluation


LOOKS: list[dict[str, Any]] = [
    {"kind": "mask", "polygon": LEFT_HALF},
    {"kind": "box", "box": [0, 0, 0.5, 1]},
    {"kind": "box", "box": [0, 0, 0.5, 1], "zoom": True},
]


@pytest.mark.parametrize("look", LOOKS)
def test_a_defect_that_is_not_looked_at_is_one_that_is_missed(
    tmp_path: Path, look: dict[str, Any]
) -> None:
    """Of two alike the one inside is found whole, above all clean pixels; the other ranks with all
    that is not looked at, as if by chance: (1 + 0.5) / 2, and up to a rate of 0.3 of false alarms
    (1 + 0.15) / 2. A little less: the map of the one found reaches half a cell beyond it."""
    inside = figures(tmp_path / "inside", look, INSIDE)
    assert inside.pixel_auroc == pytest.approx(1, abs=0.001)
    assert inside.aupro == pytest.approx(1, abs=0.001)
    both = figures(tmp_path / "both", look, INSIDE, OUTSIDE)
    assert both.pixel_auroc == pytest.approx(0.75, abs=0.02)
    assert both.aupro == pytest.approx(0.575, abs=0.03)


@pytest.mark.parametrize("look", LOOKS)
def test_a_defect_outside_alone_is_found_by_chance(tmp_path: Path, look: dict[str, Any]) -> None:
    found = figures(tmp_path, look, OUTSIDE)
    assert found.pixel_auroc == pytest.approx(0.5)
    assert found.aupro == pytest.approx(0.15)  # the mean over rates of 0 to 0.3


def test_the_map_is_of_all_the_photo_and_0_where_nothing_was_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "can"
    write_photos(folder / "train" / "good", [plain(s, (SIZE, SIZE)) for s in range(100, 124, 4)])
    look = {"kind": "box", "box": [0.25, 0.5, 0.75, 1], "zoom": True}
    built = build_bank(read_category(tmp_path, "can"), method(look=look), extractor())
    detector = Detector(built.artifact, extractor())
    inspection = detector.inspect(encode(plain((255, 0, 0), (SIZE, SIZE))))
    canvas = detector.anomaly_map(inspection, (SIZE, SIZE))
    assert canvas is not None
    expected = np.zeros((SIZE, SIZE), dtype=bool)
    expected[32:, 16:48] = True
    np.testing.assert_array_equal(canvas > 0, expected)
    np.testing.assert_allclose(canvas[expected], inspection.score, rtol=1e-5)

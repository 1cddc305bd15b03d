"""The overlay of a photo that was looked at in part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.core.building.build import build_bank
from app.core.detector import Detector
from app.core.judging.anomaly_map import overlay_png
from app.core.photo.dataset import read_category
from app.core.photo.images import decode
from tests.support import Pixels, encode, write_photos
from tests.unit.core.features.test_patches import extractor, method, spotted, striped

BOX = (0.25, 0.25, 0.75, 0.75)  # of 160 × 120: from (40, 30) to (120, 90)
LEFT_HALF = [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]


def looking(root: Path, **look: Any) -> Detector:
    write_photos(root / "can" / "train" / "good", [striped(s) for s in range(100, 130, 2)])
    preset = method(**({"look": look} if look else {}))
    return Detector(
        build_bank(read_category(root, "can"), preset, extractor()).artifact, extractor()
    )


def drawn(detector: Detector, photo: Image.Image) -> Pixels:
    _, overlay = detector.inspect_and_draw(encode(photo))
    assert overlay is not None
    return np.asarray(decode(overlay).rgb)


def is_grey(pixels: Pixels) -> bool:
    return bool((pixels.max(axis=-1) == pixels.min(axis=-1)).all())


def test_outside_a_box_the_photo_is_grey_and_inside_it_keeps_its_colours(tmp_path: Path) -> None:
    photo = striped(112)
    photo.paste((0, 90, 200), (0, 0, 160, 20))
    overlay, inside = (
        drawn(looking(tmp_path, kind="box", box=BOX, zoom=True), photo),
        np.s_[30:90, 40:120],
    )
    seen = np.zeros((120, 160), dtype=bool)
    seen[inside] = True
    assert is_grey(overlay[~seen])
    original = np.asarray(photo)
    assert np.abs(overlay[inside].astype(int) - original[inside]).max() < 60  # a faint map
    grey = 0.299 * 0 + 0.587 * 90 + 0.114 * 200
    np.testing.assert_allclose(overlay[:20], 0.4 * grey + 0.6 * 70, atol=1)


def test_the_edge_is_a_light_line_beside_a_dark_one_around_the_box(tmp_path: Path) -> None:
    overlay = drawn(looking(tmp_path, kind="box", box=BOX, zoom=True), striped(112))
    assert (overlay[29, 39:121] == 235).all()
    assert (overlay[28, 38:122] == 25).all()
    assert (overlay[29:91, 120] == 235).all()


@pytest.mark.parametrize("shade", [0, 250])
def test_what_was_not_looked_at_stands_out_on_dark_and_on_light_photos(
    tmp_path: Path, shade: int
) -> None:
    photo = Image.new("RGB", (160, 120), (shade,) * 3)
    overlay = drawn(looking(tmp_path, kind="box", box=BOX, zoom=True), photo).astype(int)
    veiled = overlay[5, 5].mean()
    assert abs(veiled - shade) > 30
    assert max(abs(line - veiled) for line in overlay[28:30, 60].mean(axis=-1)) > 90


def test_a_map_is_not_drawn_under_a_mask(tmp_path: Path) -> None:
    detector = looking(tmp_path, kind="mask", polygon=LEFT_HALF)
    overlay = drawn(detector, spotted((90, 30, 150, 90)))
    assert is_grey(overlay[:, 82:])
    assert not is_grey(drawn(detector, spotted((10, 30, 70, 90)))[:, :78])


def test_places_of_no_weight_are_grey_and_known_to_the_inspection(tmp_path: Path) -> None:
    detector = looking(tmp_path, kind="mask", polygon=LEFT_HALF)
    inspection = detector.inspect(encode(striped(112)))
    assert inspection.looked is not None
    # 160 × 120 lies on 8 × 6 cells.
    np.testing.assert_array_equal(inspection.looked, [[True] * 4 + [False] * 4] * 6)


def test_without_a_look_nothing_is_grey(tmp_path: Path) -> None:
    detector = looking(tmp_path)
    photo = spotted((10, 10, 50, 50))
    inspection = detector.inspect(encode(photo))
    assert inspection.looked is None
    assert inspection.score_map is not None
    scale = detector.manifest.anomaly_map
    plain, told = (
        overlay_png(
            photo,
            inspection.score_map,
            detector.extractor.grid,
            inspection.placement,
            photo=photo.size,
            scale=(scale.low, scale.threshold),
            looked=looked,
        )
        for looked in (None, np.ones(inspection.score_map.shape, dtype=bool))
    )
    assert plain == told == detector.inspect_and_draw(encode(photo))[1]

"""Cropped copies for methods that know no look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from app.core.photo.dataset import read_test_split
from bench.crops import cropped
from tests.support import textured

BOX = (0.25, 0.5, 0.75, 1.0)


def test_photos_and_masks_are_cropped_alike(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for kind in ("train/good", "test/good", "test/tear", "ground_truth/tear"):
        (root / "milk" / kind).mkdir(parents=True)
    photo, mask = textured(80, 60), Image.new("L", (80, 60))
    mask.paste(255, (30, 40, 50, 50))
    for kind in ("train/good", "test/good", "test/tear"):
        photo.save(root / "milk" / kind / "a.png")
    mask.save(root / "milk" / "ground_truth" / "tear" / "a.png")

    found = cropped(read_test_split(root, "milk"), BOX, tmp_path / "crops")
    assert found.name == "milk_cropped"
    expected = np.asarray(photo)[30:60, 20:60]
    for path in [*found.train, *(image.path for image in found.test)]:
        np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    (defective,) = [image for image in found.test if image.is_defective]
    assert defective.mask is not None
    seen = np.asarray(Image.open(defective.mask))
    np.testing.assert_array_equal(seen, np.asarray(mask)[30:60, 20:60])

    again = cropped(read_test_split(root, "milk"), BOX, tmp_path / "crops")
    assert again == found

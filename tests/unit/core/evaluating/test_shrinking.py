from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.ndimage import label

from app.core.evaluating.shrinking import shrunk

Marks = npt.NDArray[np.bool_]


def mask(shape: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Marks:
    found = np.zeros(shape, dtype=bool)
    for top, left, height, width in boxes:
        found[top : top + height, left : left + width] = True
    return found


def halves(marks: Marks, shape: tuple[int, int]) -> Marks:
    """Each pixel by the half of what it covers, and nothing else."""
    picture = Image.fromarray(marks.astype(np.uint8) * 255)
    return np.asarray(picture.resize(shape[::-1], Image.Resampling.BOX)) >= 128


def test_a_mask_of_the_maps_size_stays_as_it_is() -> None:
    marks = mask((30, 40), (3, 4, 5, 6), (20, 20, 1, 1))
    small, lost = shrunk(marks, (30, 40))
    np.testing.assert_array_equal(small, marks)
    assert lost == 0


def test_ordinary_marks_become_what_they_cover_half_of() -> None:
    marks = mask((3000, 2000), (100, 150, 400, 300), (2000, 1000, 90, 700))
    small, lost = shrunk(marks, (256, 171))
    np.testing.assert_array_equal(small, halves(marks, (256, 171)))
    assert lost == 0


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_a_mark_of_few_pixels_keeps_one_at_its_place(side: int) -> None:
    marks = mask((3000, 3000), (1500, 700, side, side), (100, 100, 400, 400))
    small, lost = shrunk(marks, (256, 256))
    added = small & ~halves(marks, (256, 256))
    assert lost == 1
    assert np.argwhere(added).tolist() == [[1500 * 256 // 3000, 700 * 256 // 3000]]


def test_every_one_of_many_small_marks_keeps_a_pixel() -> None:
    boxes = [(50 + 100 * i, 50 + 100 * j, 2, 2) for i in range(20) for j in range(15)]
    small, lost = shrunk(mask((2100, 2100), *boxes), (256, 256))
    assert (lost, label(small)[1], int(small.sum())) == (300, 300, 300)


def test_a_line_of_a_pixel_keeps_one_of_its_pixels() -> None:
    small, lost = shrunk(mask((2048, 2048), (0, 1024, 2048, 1)), (256, 256))
    assert (int(small.sum()), lost) == (1, 1)
    assert small[:, 128].any()


def test_a_mask_smaller_than_the_map_grows() -> None:
    small, lost = shrunk(mask((15, 20), (5, 5, 1, 1)), (150, 200))
    assert (int(small.sum()), lost) == (100, 0)

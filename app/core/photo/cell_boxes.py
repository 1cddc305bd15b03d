"""CellBoxes: which part of the photo as sent a cell of the feature grid shows, and what is around.

Boxes of many cells are rows (m, 4): left, top, right, bottom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Doubles, Indices
from .box import Box
from .preprocess import PreparedImage

# A cell alone says nothing to people: so many across are shown with it in the middle, and where the
# grid is fine this share of it, a little more than what the network looks at for one cell.
_ACROSS, _SHARE = 6.0, 3 / 16
_HAIR = 1e-6  # of a pixel


@dataclass(frozen=True, slots=True)
class CellBoxes:
    """A prepared photo's geometry, without its pixels.

    Attributes:
        input: (height, width) of the network's input, pixels.
        content, source: as in `PreparedImage`.
    """

    input: tuple[int, int]
    content: Box
    source: Box

    @classmethod
    def of(cls, photo: PreparedImage) -> CellBoxes:
        height, width = photo.pixels.shape[:2]
        return cls((height, width), photo.content, photo.source)

    def in_input(self, cells: Indices, grid: tuple[int, int]) -> Doubles:
        """(m,) cells of the whole grid, counted row by row -> (m, 4) pixels of the input."""
        rows, columns = np.divmod(cells, grid[1])
        to_y, to_x = self.input[0] / grid[0], self.input[1] / grid[1]
        edges = columns * to_x, rows * to_y, (columns + 1) * to_x, (rows + 1) * to_y
        return np.stack(edges, axis=1).astype(np.float64)

    def in_photo(self, boxes: Doubles) -> Doubles:
        """(m, 4) boxes in the input -> what of the photo they show, in whole pixels of the upright
        photo as sent, at least one each way."""
        content, source = self.content, self.source
        found = np.empty(boxes.shape)
        for low, high, begins, ends, start, stop in (
            (0, 2, content.left, content.right, source.left, source.right),
            (1, 3, content.top, content.bottom, source.top, source.bottom),
        ):
            scale = (stop - start) / (ends - begins)
            inside = np.clip(boxes[:, [low, high]], begins, ends)  # padding shows nothing
            first = np.floor(start + (inside[:, 0] - begins) * scale + _HAIR)
            found[:, low] = np.clip(first, 0, max(0.0, np.ceil(stop - _HAIR) - 1))
            last = np.ceil(start + (inside[:, 1] - begins) * scale - _HAIR)
            found[:, high] = np.maximum(last, found[:, low] + 1)
        return found


def context(boxes: Doubles, within: Box, grid: tuple[int, int]) -> Doubles:
    """(m, 4) boxes of cells -> those around them that are shown to people, all in whole pixels.

    A global method's one cell is the whole photo and has nothing around it.

    Args:
        within: what there is of the photo: at its rim the box is moved, not cut.
    """
    if grid == (1, 1):
        return np.tile([within.left, within.top, within.right, within.bottom], (len(boxes), 1))
    times = max(_ACROSS, max(grid) * _SHARE)
    found = np.empty(boxes.shape)
    for low, high, start, stop in (
        (0, 2, within.left, within.right),
        (1, 3, within.top, within.bottom),
    ):
        sides = np.minimum(np.ceil(times * (boxes[:, high] - boxes[:, low])), stop - start)
        middle = (boxes[:, low] + boxes[:, high]) / 2
        found[:, low] = np.clip(np.floor(middle - sides / 2), start, stop - sides)
        found[:, high] = found[:, low] + sides
    return found


def outward(box: Box) -> Box:
    """The whole pixels that a box touches."""
    left, top = np.floor([box.left + _HAIR, box.top + _HAIR]).tolist()
    right, bottom = np.ceil([box.right - _HAIR, box.bottom - _HAIR]).tolist()
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))

"""View: which part of its photos a camera, or a place before it, is about.

A category's look says where on a photo its goods are; a view says which part of what a camera sends
is that photo. The look applies to the view's crop as to a photo of its own. All in shares of the
upright photo as sent, from 0 at the left and the top to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image, ImageDraw

from ..arrays import Doubles, Floats
from .box import Box
from .images import DecodedImage
from .look import overlaps
from .masks import marks_of

Point = tuple[float, float]

ALL = Box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class View:
    """A part of a photo, seen as if nothing else had been sent. Immutable.

    Attributes:
        crop: in shares of the photo.
        mask: (m, n) float32 in [0, 1] over the whole photo: the share of each place that is looked
            at; None: all of it.
    """

    crop: Box = ALL
    mask: Floats | None = field(default=None, repr=False)

    def of(self, image: DecodedImage) -> DecodedImage:
        """The photo, of which this part is looked at."""
        seen = image if self.crop == ALL else image.within(self.crop)
        return seen if self.mask is None else replace(seen, mask=self.mask)

    def at_least(self, side: tuple[int, int] | None) -> tuple[int, int] | None:
        """The (width, height) that the whole photo must have for the crop to have `side`."""
        if side is None:
            return None
        return math.ceil(side[0] / self.crop.width), math.ceil(side[1] / self.crop.height)

    def part(self, shares: Box) -> View:
        """A part of the crop, in shares of it, under the same mask."""
        return replace(self, crop=self.crop.part(shares))

    @property
    def is_blind(self) -> bool:
        """Whether the mask covers all of the crop."""
        if self.mask is None:
            return False
        rows = np.array([self.crop.top, self.crop.bottom])
        return not averaged(self.mask, rows, np.array([self.crop.left, self.crop.right])).any()


WHOLE_VIEW = View()


def white_of(data: bytes, side: int) -> Floats:
    """A mask image, white = look -> (m, n) float32, the share of each place that is white.

    Args:
        side: places along its longer side, at most.

    Raises:
        ImageError: it cannot be read.
    """
    white = marks_of(data)
    scale = min(1.0, side / max(white.shape))
    height, width = (max(1, round(n * scale)) for n in white.shape)
    if (height, width) == white.shape:
        return white.astype(np.float32)
    return averaged(
        white.astype(np.float32), np.linspace(0, 1, height + 1), np.linspace(0, 1, width + 1)
    )


def within_corners(corners: Sequence[Point], side: int) -> Floats:
    """A polygon, corners in shares -> (side, side) float32, the share of each place inside."""
    fine = 4 * side
    image = Image.new("L", (fine, fine))
    ImageDraw.Draw(image).polygon([(x * fine, y * fine) for x, y in corners], fill=1)
    inside = np.asarray(image, dtype=np.float32)
    return np.asarray(inside.reshape(side, 4, side, 4).mean(axis=(1, 3)), dtype=np.float32)


def averaged(values: Floats, rows: Doubles, columns: Doubles) -> Floats:
    """A grid of values over [0, 1] × [0, 1] -> (h, w) float32 means over other cells, by area.

    Args:
        rows, columns: the h + 1 and w + 1 edges of these cells, growing.
    """
    of_rows = overlaps(rows, values.shape[0])
    of_columns = overlaps(columns, values.shape[1])
    return np.asarray(np.clip(of_rows @ values @ of_columns.T, 0, 1), dtype=np.float32)


def enough_for_all(sides: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    """The (width, height) that suffices for each of these; None: in full, which one of them asks
    for."""
    wanted = [side for side in sides if side is not None]
    if len(wanted) < len(sides):
        return None
    return max(width for width, _ in wanted), max(height for _, height in wanted)

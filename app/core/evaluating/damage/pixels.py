"""Arrays of pixels: their types, their coordinates, and masks made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Photo = NDArray[np.uint8]  # (H, W, 3)


def pixel_grid(shape: tuple[int, int]) -> tuple[Array, Array]:
    """(H, W) each: x and y of every pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    return x, y


def turned_grid(grid: tuple[Array, Array], centre: Array, angle: float) -> tuple[Array, Array]:
    """(H, W) each: coordinates along and across a direction, from a centre."""
    x, y = grid[0] - centre[0], grid[1] - centre[1]
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * x + sine * y, cosine * y - sine * x


def polygon_mask(points: Array, shape: tuple[int, int]) -> Mask:
    """(H, W) bool: inside the polygon of x, y points."""
    image = Image.new("1", shape[::-1])
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in points], fill=1)
    return np.array(image, dtype=bool)


def largest_part(mask: Mask) -> Mask:
    """(H, W): the largest connected part."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = ndimage.sum(mask, labels, range(1, count + 1))
    return np.asarray(labels == 1 + int(np.argmax(sizes)))

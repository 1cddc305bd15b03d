"""Where the carton is in a photo: a probability per pixel and a rotated box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from app.core.evaluating.damage.pixels import Array, Mask, largest_part, polygon_mask


@dataclass(frozen=True)
class Product:
    """Where the carton is in a photo."""

    probability: Array  # (H, W) in 0..1
    corners: Array  # (4, 2) x, y: top left, top right, bottom right, bottom left of the carton

    @cached_property
    def surface(self) -> Mask:
        """(H, W): carton, without the hand in front of it."""
        height, width = self.probability.shape
        box = polygon_mask(self.corners, (height, width))
        side = int(0.02 * np.sqrt(height * width)) + 1
        for floor in (0.5, 0.3):
            surface = ndimage.binary_opening(box & (self.probability > floor), iterations=side)
            if surface.mean() > 0.06:
                return largest_part(surface)
        return box

    @property
    def right(self) -> Array:
        """Unit vector along the carton's top edge."""
        edge = self.corners[1] - self.corners[0]
        return np.asarray(edge / np.linalg.norm(edge))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the box, in pixels."""
        across, along = self.corners[1] - self.corners[0], self.corners[3] - self.corners[0]
        return float(np.linalg.norm(across)), float(np.linalg.norm(along))

    def at(self, u: float, v: float) -> Array:
        """Pixel at share `u` of the width and `v` of the height of the box."""
        top_left, top_right, _, bottom_left = self.corners
        return np.asarray(top_left + u * (top_right - top_left) + v * (bottom_left - top_left))

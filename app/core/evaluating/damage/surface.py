"""What damage is drawn on: pixels, which of them show the goods, their light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from .pixels import Array, Mask, pixel_grid, turned_grid


@dataclass(frozen=True)
class Surface:
    """Goods in a photo; all drawing is in float, 0..255.

    Attributes:
        rgb: (H, W, 3). mask: (H, W), where the goods are; at least one pixel.
    """

    rgb: Array
    mask: Mask

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @cached_property
    def light(self) -> Array:
        """(3,) how a white thing looks in this place: the light's strength and colour."""
        pixels = self.rgb[self.mask]
        bright = pixels[pixels.mean(-1) >= np.quantile(pixels.mean(-1), 0.85)].mean(0)
        grey = np.full(3, bright.mean())
        return np.asarray(np.clip(0.3 * bright + 0.7 * grey, 95, 240) / 255)

    @cached_property
    def cover(self) -> Array:
        """(H, W) in 0..1: the surface with a soft border, so that what is before it stays so."""
        soft = ndimage.gaussian_filter(self.mask.astype(float), 1.2)
        return np.asarray(np.clip(1.6 * soft, 0, 1))

    @cached_property
    def grid(self) -> tuple[Array, Array]:
        """(H, W) each: x and y of every pixel."""
        return pixel_grid(self.shape)

    def around(self, centre: Array, angle: float) -> tuple[Array, Array]:
        """(H, W) each: coordinates along and across a direction, from a centre."""
        return turned_grid(self.grid, centre, angle)

"""What a defect is drawn on: the photo, its carton, its light, and a photo of another SKU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from bench.cartons.cap_finder import find_cap
from bench.cartons.pixels import Array, pixel_grid, turned_grid
from bench.cartons.product import Product


@dataclass(frozen=True)
class Scene:
    """A photo to draw on; all drawing is in float, 0..255."""

    rgb: Array  # (H, W, 3)
    product: Product
    donor: Array  # (H, W, 3) photo of another SKU
    donor_product: Product
    capped: bool = True  # whether this SKU has a screw cap at all

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def light(self) -> Array:
        """(3,) how a white thing looks on this carton's place: the light's strength and colour."""
        pixels = self.rgb[self.product.surface]
        bright = pixels[pixels.mean(-1) >= np.quantile(pixels.mean(-1), 0.85)].mean(0)
        grey = np.full(3, bright.mean())
        return np.asarray(np.clip(0.3 * bright + 0.7 * grey, 95, 240) / 255)

    @cached_property
    def cover(self) -> Array:
        """(H, W) in 0..1: the surface with a soft border, so that fingers stay in front."""
        soft = ndimage.gaussian_filter(self.product.surface.astype(float), 1.2)
        return np.asarray(np.clip(1.6 * soft, 0, 1))

    @cached_property
    def cap(self) -> tuple[Array, float] | None:
        """Centre (x, y) and radius of the cap, if one was found."""
        return find_cap(self.rgb, self.product) if self.capped else None

    @cached_property
    def grid(self) -> tuple[Array, Array]:
        """(H, W) each: x and y of every pixel."""
        return pixel_grid(self.shape)

    def around(self, centre: Array, angle: float) -> tuple[Array, Array]:
        """(H, W) each: coordinates along and across a direction, from a centre."""
        return turned_grid(self.grid, centre, angle)

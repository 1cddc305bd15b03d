"""What a defect is drawn on: the photo, its carton, its light, and a photo of another SKU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from app.core.evaluating.damage.pixels import Array
from app.core.evaluating.damage.surface import Surface
from bench.cartons.cap_finder import find_cap
from bench.cartons.product import Product


@dataclass(frozen=True)
class Scene:
    """A photo to draw on; all drawing is in float, 0..255."""

    rgb: Array  # (H, W, 3)
    product: Product
    donor: Array  # (H, W, 3) photo of another SKU
    donor_product: Product
    capped: bool = True  # whether this SKU has a screw cap at all

    @cached_property
    def surface(self) -> Surface:
        """The carton, without the hand in front of it."""
        return Surface(self.rgb, self.product.surface)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.surface.shape

    @cached_property
    def cap(self) -> tuple[Array, float] | None:
        """Centre (x, y) and radius of the cap, if one was found."""
        return find_cap(self.rgb, self.product) if self.capped else None

    @property
    def grid(self) -> tuple[Array, Array]:
        """(H, W) each: x and y of every pixel."""
        return self.surface.grid

    def around(self, centre: Array, angle: float) -> tuple[Array, Array]:
        """(H, W) each: coordinates along and across a direction, from a centre."""
        return self.surface.around(centre, angle)

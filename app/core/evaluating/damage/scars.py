"""Scars: a thin turned strip cut from elsewhere in the photo (Li et al. 2021, arXiv:2104.04015)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .drawing import blend, step
from .pixels import Array
from .spot import Spot


def draw_scar(spot: Spot, radius: float, rng: np.random.Generator) -> Array:
    """A strip four to ten times as long as wide, of another place, its brightness shifted."""
    stretch = np.sqrt(rng.uniform(4, 10))
    # Of the area of a circle of that radius.
    length, width = (np.sqrt(np.pi) * radius / 2 * side for side in (stretch, 1 / stretch))
    along, across = spot.surface.around(spot.centre, rng.uniform(0, np.pi))
    height, wide = spot.photo.shape[:2]
    x, y = rng.uniform(0.1, 0.9, 2) * [wide, height]
    turn = rng.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(turn), np.sin(turn)
    source = [y + sine * along + cosine * across, x + cosine * along - sine * across]
    strip = np.stack(
        [
            ndimage.map_coordinates(spot.photo[..., c], source, float, order=1, mode="mirror")
            for c in range(3)
        ],
        -1,
    )
    strip = strip + rng.choice([-1, 1]) * rng.uniform(15, 40)
    inside = np.minimum(length - np.abs(along), width - np.abs(across))
    return blend(spot.surface.rgb, strip, step(inside))

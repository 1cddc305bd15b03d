"""Missing pieces: a polygon shows what lies around it, or what another good photo shows."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...arrays import Indices
from .drawing import blend
from .healing import heal
from .pixels import Array, Mask, Photo, polygon_mask
from .spot import Spot


def draw_missing_piece(spot: Spot, radius: float, rng: np.random.Generator) -> Array:
    """Half of them grow over from the surroundings, half are filled from the donor."""
    surface = spot.surface
    hole = _polygon(spot, radius, rng)
    if not hole.any():
        return surface.rgb
    if rng.random() < 0.5:
        everything, free = np.ones_like(hole), np.zeros(surface.shape)
        filled = heal(surface.rgb, hole, free, everything)
    else:
        filled = _cut_from(spot.donor, surface.shape, rng)
    edge = hole & ~ndimage.binary_erosion(hole, iterations=max(1, round(0.06 * radius)))
    filled = filled * np.where(edge, rng.uniform(0.6, 0.9), 1.0)[..., None]
    return blend(surface.rgb, filled, ndimage.gaussian_filter(hole.astype(float), 0.5))


def _polygon(spot: Spot, radius: float, rng: np.random.Generator) -> Mask:
    corners = int(rng.integers(4, 8))
    angles = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.35, 0.35, corners)) / corners
    reach = radius * rng.uniform(0.8, 1.5, (corners, 1))
    around = reach * np.stack([np.cos(angles), np.sin(angles)], -1)
    return polygon_mask(spot.centre + around, spot.surface.shape)


def _cut_from(donor: Photo, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """(h, w, 3) from anywhere in the donor, mirrored beyond its rim."""
    top, left = (int(rng.integers(side)) for side in donor.shape[:2])
    rows = _mirrored(top + np.arange(shape[0]), donor.shape[0])
    columns = _mirrored(left + np.arange(shape[1]), donor.shape[1])
    return np.asarray(donor[np.ix_(rows, columns)], dtype=float)


def _mirrored(index: Indices, side: int) -> Indices:
    folded = index % (2 * side)
    return np.minimum(folded, 2 * side - 1 - folded)

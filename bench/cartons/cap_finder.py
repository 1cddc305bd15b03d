"""Where the screw cap is: a round thing of one colour at the carton's top, and not a hand."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from app.core.evaluating.damage.pixels import Array, Mask, pixel_grid, turned_grid
from bench.cartons.product import Product


def skin(rgb: Array) -> Mask:
    """(H, W): colours of a hand. Orange caps are more saturated."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    chroma = (red - blue) / (red + 1)
    hue = (green - blue) / np.maximum(red - blue, 1)
    return np.asarray((red > 60) & (chroma > 0.16) & (chroma < 0.6) & (hue > 0.08) & (hue < 0.62))


def find_cap(rgb: Array, product: Product) -> tuple[Array, float] | None:
    """Centre (x, y) and radius of a round thing of one colour at the carton's top, if any."""
    side = float(np.sqrt(rgb[..., 0].size))
    width, height = product.size
    angle = float(np.arctan2(product.right[1], product.right[0]))
    grid = pixel_grid((rgb.shape[0], rgb.shape[1]))
    u, v = turned_grid(grid, product.at(0.5, 0.0), angle)
    near = (np.abs(u) < 0.5 * width) & (v > -0.10 * height) & (v < 0.26 * height)
    smooth_skin = ndimage.gaussian_filter(skin(rgb).astype(float), 0.02 * side)
    best: tuple[float, Array, float] | None = None
    for share in (0.13, 0.155, 0.18, 0.21, 0.245):  # of the carton's width
        radius = float(np.clip(share * width, 0.035 * side, 0.085 * side))
        # A letter or a highlight can be as round as a cap: of two finds, the larger one counts.
        score = _roundness(rgb, radius) - 60 * smooth_skin + 30 * np.log(share / 0.18)
        score = np.where(near, score, -np.inf)
        top = int(score.argmax())
        y, x = divmod(top, score.shape[1])
        if best is None or score[y, x] > best[0]:
            best = (float(score[y, x]), np.array([x, y], dtype=float), radius)
    if best is None or best[0] < 14:
        return None
    return best[1], best[2]


def _roundness(rgb: Array, radius: float) -> Array:
    """(H, W): how much a disc differs from what is around it, less how much it varies inside."""
    disc = (0.45 * radius, 0.45 * radius, 0)
    mean = ndimage.gaussian_filter(rgb, disc)
    spread = np.sqrt(np.maximum(ndimage.gaussian_filter(rgb**2, disc) - mean**2, 0)).mean(-1)
    ring = ndimage.gaussian_filter(rgb, (0.25 * radius, 0.25 * radius, 0))
    differences = []
    for angle in np.arange(12) * np.pi / 6:
        offset = np.round(1.45 * radius * np.array([np.sin(angle), np.cos(angle)])).astype(int)
        there = np.roll(ring, (-offset[0], -offset[1]), (0, 1))
        differences.append(np.minimum(np.abs(there - mean).mean(-1), 70))
    # The third smallest: a cap may touch something of its own colour on one side, not all round.
    return np.asarray(np.sort(differences, axis=0)[2] - 1.1 * spread)

"""What lay behind a thing that is gone: a hole filled with another piece of the same photo."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .pixels import Array, Mask


def heal(rgb: Array, hole: Mask, avoid: Array, known: Mask) -> Array:
    """The hole filled with the best matching shifted piece of the photo, its colours adapted.

    `avoid` (H, W) is a cost of taking a pixel as source; only rim pixels in `known` must match.
    """
    rim = ndimage.binary_dilation(hole, iterations=3) & ~hole & known
    if not rim.any():
        rim = ndimage.binary_dilation(hole, iterations=3) & ~hole
    ys, xs = np.nonzero(hole)
    ry, rx = np.nonzero(rim)
    reach = max(float(np.ptp(ys)), float(np.ptp(xs)), 4.0)
    best, shift = np.inf, (0, 0)
    for step in (1.0, 1.25, 1.6, 2.1, 2.8):
        for angle in np.arange(32) * np.pi / 16:
            dy, dx = round(step * reach * np.sin(angle)), round(step * reach * np.cos(angle))
            cost = _shift_cost(rgb, hole, avoid, (ys, xs, ry, rx), (dy, dx))
            if cost < best:
                best, shift = cost, (dy, dx)
    filled = rgb.copy()
    inside = (
        np.clip(ys + shift[0], 0, hole.shape[0] - 1),
        np.clip(xs + shift[1], 0, hole.shape[1] - 1),
    )
    rim_source = (
        np.clip(ry + shift[0], 0, hole.shape[0] - 1),
        np.clip(rx + shift[1], 0, hole.shape[1] - 1),
    )
    correction = _membrane((ys, xs), (ry, rx), rgb[ry, rx] - rgb[rim_source])
    filled[ys, xs] = np.clip(rgb[inside] + np.clip(correction, -40, 40), 0, 255)
    return filled


def _shift_cost(
    rgb: Array,
    hole: Mask,
    avoid: Array,
    points: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]],
    shift: tuple[int, int],
) -> float:
    """How badly the piece at `shift` fits the hole; infinite where it leaves the photo."""
    ys, xs, ry, rx = points[0] + shift[0], points[1] + shift[1], points[2], points[3]
    if ys.min() < 0 or xs.min() < 0 or ys.max() >= hole.shape[0] or xs.max() >= hole.shape[1]:
        return float("inf")
    if hole[ys, xs].mean() > 0.02:
        return float("inf")
    sy = np.clip(ry + shift[0], 0, hole.shape[0] - 1)
    sx = np.clip(rx + shift[1], 0, hole.shape[1] - 1)
    mismatch = np.abs(rgb[sy, sx] - rgb[ry, rx]).mean()
    return float(mismatch + avoid[ys, xs].mean())


def _membrane(
    inside: tuple[NDArray[Any], NDArray[Any]],
    rim: tuple[NDArray[Any], NDArray[Any]],
    values: Array,
) -> Array:
    """(n, 3) the rim's values carried smoothly inside: inverse distance weights, squared."""
    picked = slice(None, None, max(1, len(rim[0]) // 150))
    distance = (inside[0][:, None] - rim[0][None, picked]) ** 2.0
    distance += (inside[1][:, None] - rim[1][None, picked]) ** 2.0
    weight = 1 / (distance + 1.0)
    return np.asarray(weight @ values[picked] / weight.sum(1, keepdims=True))

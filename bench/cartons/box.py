"""The rotated box around the carton: most evidence inside, edges of the photo along its sides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from app.core.evaluating.damage.pixels import Array


def _spans(length: int, low: float, high: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """All pairs start < end on a grid of 2 with low <= end - start <= high shares of `length`."""
    start, end = (grid.ravel() for grid in np.meshgrid(*[np.arange(1, length, 2)] * 2))
    kept = (end - start >= low * length) & (end - start <= high * length)
    return start[kept], end[kept]


def fit_box(small: Array, evidence: Array) -> Array:
    """(4, 2) corners x, y of the rotated box with most evidence inside and edges on its sides."""
    height, width = evidence.shape
    y0, y1 = (span[:, None] for span in _spans(height, 0.42, 0.95))
    x0, x1 = (span[None] for span in _spans(width, 0.24, 0.62))
    misshapen = (y1 - y0 < 1.1 * (x1 - x0)) | (y1 - y0 > 3.4 * (x1 - x0))
    best, found = -np.inf, (0, 0, 0, 0, 0)
    smooth = ndimage.gaussian_filter(small, (0.6, 0.6, 0))
    for angle in range(-48, 49, 6):
        turned = ndimage.rotate(evidence, angle, reshape=False, order=1, cval=-0.3)
        colour = ndimage.rotate(smooth, angle, reshape=False, order=1, mode="nearest")
        total = np.pad(turned.cumsum(0).cumsum(1), ((1, 0), (1, 0))) / turned.size
        edge_x = np.minimum(np.abs(colour[:, 2:] - colour[:, :-2]).sum(-1) / 0.5, 1)
        edge_y = np.minimum(np.abs(colour[2:] - colour[:-2]).sum(-1) / 0.5, 1)
        along_x = np.pad(np.pad(edge_x, ((0, 0), (1, 1))).cumsum(0), ((1, 0), (0, 1)))
        along_y = np.pad(np.pad(edge_y, ((1, 1), (0, 0))).cumsum(1), ((0, 1), (1, 0)))
        sides = along_x[y1, x0] - along_x[y0, x0] + along_x[y1, x1] - along_x[y0, x1]
        ends = along_y[y0, x1] - along_y[y0, x0] + along_y[y1, x1] - along_y[y1, x0]
        inside = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0]
        score = inside + 0.06 * (sides / (y1 - y0) + 0.4 * ends / (x1 - x0))
        score[misshapen] = -np.inf
        i, j = np.unravel_index(int(score.argmax()), score.shape)
        if score[i, j] > best:
            best = float(score[i, j])
            found = (angle, int(y0[i, 0]), int(y1[i, 0]), int(x0[0, j]), int(x1[0, j]))
    return _box_corners(found, (height, width))


def _box_corners(found: tuple[int, int, int, int, int], shape: tuple[int, int]) -> Array:
    """Corners of a box found in the rotated frame, back in the photo's frame."""
    angle, top, bottom, left, right = found
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    centre = (np.array(shape[::-1]) - 1) / 2
    turned = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) - 0.5 - centre
    back = np.array([[cosine, -sine], [sine, cosine]])  # inverse of what ndimage.rotate does
    return np.asarray(turned @ back.T + centre)

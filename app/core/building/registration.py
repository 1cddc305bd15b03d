"""Two square grey pictures -> the crop and resize that lays one over the other.

A crop or a resize of a squashed photo is a scale and a shift along each axis. They are found by
Gauss-Newton steps on the squared difference (Lucas & Kanade 1981), first at half the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from ..arrays import Floats

# A photo cropped by more than this share of its side, or shifted so far, is another photo.
MOST_SCALE = 0.15
MOST_SHIFT = 0.12
_STEPS, _FINAL_STEPS = 10, 4
_CLOSE = 0.01  # pixels: smaller steps change nothing that is looked at
# Of the squared gradients: a flat picture must not be moved about.
_DAMPING = 1e-3


@dataclass(frozen=True, slots=True)
class Placement:
    """Where pixel centres of one picture lie in the other, from the centre, in shares of a side:
    `x' = scale · x + shift`, for rows and for columns."""

    row_scale: float = 1.0
    row_shift: float = 0.0
    column_scale: float = 1.0
    column_shift: float = 0.0

    @property
    def is_slight(self) -> bool:
        scales, shifts = (self.row_scale, self.column_scale), (self.row_shift, self.column_shift)
        return max(abs(s - 1) for s in scales) <= MOST_SCALE and max(map(abs, shifts)) <= MOST_SHIFT

    def lay(self, picture: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Pictures, (…, n, n), as seen through this placement, and where they have pixels."""
        n = picture.shape[-1]
        rows, inside_rows = _interpolation(self.row_scale, self.row_shift * n, n)
        columns, inside_columns = _interpolation(self.column_scale, self.column_shift * n, n)
        laid = np.asarray(rows @ picture @ columns.T, dtype=np.float32)
        return laid, np.outer(inside_rows, inside_columns)


def register(fixed: Floats, moving: Floats, *, most_apart: float = np.inf) -> Placement | None:
    """What lays `moving`, (n, n) float32, over `fixed`; None: no slight crop or resize does.

    Args:
        most_apart: root mean square difference at half the size above which it is given up.
    """
    small_fixed, small_moving = blur(halved(fixed), 1.0), blur(halved(moving), 1.0)
    start = _descend(small_fixed, small_moving, Placement(), _STEPS)
    if start is None:
        return None
    laid, inside = start.lay(small_moving)
    inside[:2] = inside[-2:] = inside[:, :2] = inside[:, -2:] = False  # blurred with nothing
    if np.square(small_fixed - laid)[inside].sum() > most_apart**2 * inside.sum():
        return None
    return _descend(blur(fixed, 0.7), blur(moving, 0.7), start, _FINAL_STEPS)


def blur(picture: Floats, sigma: float) -> Floats:
    """Gaussian; at the edges over what there is. (n, n) float32."""
    kernel = _gaussian(len(picture), sigma)
    return np.asarray(kernel @ picture @ kernel.T, dtype=np.float32)


def halved(picture: Floats) -> Floats:
    """Each four pixels as one."""
    n = len(picture) // 2
    small: Floats = picture.reshape(n, 2, n, 2).mean(axis=(1, 3))
    return small


def _descend(fixed: Floats, moving: Floats, start: Placement, steps: int) -> Placement | None:
    n = len(fixed)
    from_centre = (np.arange(n, dtype=np.float32) - (n - 1) / 2)[None, :]
    layers = np.stack([moving, *np.gradient(moving)])
    place = start
    for _ in range(steps):
        laid, inside = place.lay(layers)
        rest = (fixed - laid[0]) * inside
        slope_down, slope_across = laid[1:] * inside
        slopes = np.stack(
            (slope_down * from_centre.T, slope_down, slope_across * from_centre, slope_across)
        ).reshape(4, -1)
        curvature = (slopes @ slopes.T).astype(np.float64)
        curvature[np.diag_indices(4)] *= 1 + _DAMPING
        curvature[np.diag_indices(4)] += _DAMPING
        step = np.linalg.solve(curvature, slopes @ rest.ravel())
        place = Placement(
            place.row_scale + step[0],
            place.row_shift + step[1] / n,
            place.column_scale + step[2],
            place.column_shift + step[3] / n,
        )
        if not place.is_slight:
            return None
        if np.abs(step * (n / 2, 1, n / 2, 1)).max() < _CLOSE:
            break
    return place


def _interpolation(scale: float, shift: float, n: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(n, n) matrix that reads linearly between pixels, and which of its rows lie inside."""
    centre = (n - 1) / 2
    at = scale * (np.arange(n) - centre) + centre + shift
    inside = (at >= 0) & (at <= n - 1)
    at = np.clip(at, 0, n - 1)
    low = np.minimum(at.astype(np.int64), n - 2)
    matrix = np.zeros((n, n), dtype=np.float32)
    matrix[np.arange(n), low] = 1 - (at - low)
    matrix[np.arange(n), low + 1] = at - low
    return matrix, inside


@cache
def _gaussian(n: int, sigma: float) -> Floats:
    apart = np.arange(n)[:, None] - np.arange(n)[None, :]
    weights = np.exp(-0.5 * np.square(apart / sigma))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)

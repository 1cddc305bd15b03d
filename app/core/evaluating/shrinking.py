"""A mask at the size of the maps that it is compared with: every mark keeps a pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import label

from ..photo.masks import Marks

_SIDE = 2048  # marks are told apart on so many pixels of the longer side: 16 MB of labels


def shrunk(mask: Marks, shape: tuple[int, int]) -> tuple[Marks, int]:
    """The mask at a smaller shape: a pixel is marked where half of what it covers is.

    A mark that has no such pixel keeps the one that it covers most of: to a region measure (AUPRO)
    all marks count alike, and the smallest are those that are missed. Masks whose marks are larger
    than two map pixels are not changed by that.

    Args:
        mask: (H, W) bool. shape: (h, w).

    Returns:
        (h, w) bool, and how many marks were so small.
    """
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    share = picture.resize((shape[1], shape[0]), Image.Resampling.BOX)
    small: Marks = np.asarray(share) >= 128
    coarse = _any_of_blocks(mask)
    regions, count = label(coarse, structure=np.ones((3, 3)))
    rows, columns = (
        np.arange(n) * target // n for n, target in zip(coarse.shape, shape, strict=True)
    )
    kept = np.zeros(count + 1, dtype=bool)
    kept[regions[small[rows][:, columns]]] = True
    kept[0] = True
    y, x = np.nonzero(~kept[regions])
    if not len(y):
        return small, 0
    places = rows[y] * shape[1] + columns[x]
    small = small.copy()
    small.reshape(-1)[_largest(regions[y, x], places)] = True
    return small, int((~kept).sum())


def _largest(regions: npt.NDArray[np.int32], places: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """For each region, the place where most of its pixels lie."""
    pairs, n = np.unique(np.stack([regions, places]), axis=1, return_counts=True)
    order = np.lexsort((-n, pairs[0]))
    first = np.unique(pairs[0][order], return_index=True)[1]
    return np.asarray(pairs[1][order][first], dtype=np.intp)


def _any_of_blocks(mask: Marks) -> Marks:
    """A mask of at most `_SIDE` pixels on the longer side, marked where any pixel of a block is."""
    factor = -(-max(mask.shape) // _SIDE)
    if factor == 1:
        return mask
    padded = np.pad(mask, [(0, -n % factor) for n in mask.shape])
    height, width = (n // factor for n in padded.shape)
    blocks = padded.reshape(height, factor, width, factor)
    return np.asarray(blocks.any(axis=(1, 3)), dtype=np.bool_)

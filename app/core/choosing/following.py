"""Whether a prior follows the goods, or only knows the middle of the frame from its rim.

A network pads its input, and features near the rim show it. Where the same stuff fills the frame,
such as cloth or wood, padding is all by which middle and rim differ, and a regression finds it: it
tells them apart perfectly, and its prior means nothing. So the view is moved: photos are cropped to
each corner. A prior that knows the goods finds them where they are now; one that knows the padding
stays in the middle of the crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..arrays import Floats
from ..building.prior import Prior, resized
from ..building.reading import read_batches
from ..features.extractor import FeatureExtractor
from ..photo.dataset import evenly
from ..photo.look import Shares, overlaps
from .candidates import cropping

# By `follows`. Measured with ResNet18: 0.00 to 0.40 on goods held before shelves, -0.30 to -0.46 on
# drawn textures that fill the frame.
LEAST_FOLLOWS = -0.15

_SIDE = 0.7  # of a crop
_PHOTOS = 24
_RIM = 2  # cells that are passed over


def follows(
    prior: Prior, paths: Sequence[Path], extractor: FeatureExtractor, max_pixels: int
) -> float:
    """How much better the prior keeps to the goods than to the frame: the difference of what its
    map of the crops has in common (correlation, over all places) with either.

    Args:
        paths: of good photos; 24 of them are taken. extractor: of the whole photo.
    """
    found, moved, still = [], [], []
    inner = slice(_RIM, -_RIM)
    for top in (0.0, 1 - _SIDE):
        for left in (0.0, 1 - _SIDE):
            crop = (left, top, left + _SIDE, top + _SIDE)
            seen = _probability(prior, evenly(paths, _PHOTOS), extractor, crop, max_pixels)
            found.append(seen[inner, inner].ravel())
            moved.append(_part(prior.probability, crop)[inner, inner].ravel())
            still.append(prior.probability[inner, inner].ravel())
    return _correlation(found, moved) - _correlation(found, still)


def _probability(
    prior: Prior,
    paths: Sequence[Path],
    extractor: FeatureExtractor,
    crop: Shares,
    max_pixels: int,
) -> Floats:
    """(H, W): the mean over photos, of what is seen of each through the crop."""
    view = extractor.looking(cropping(crop))
    total = np.zeros_like(prior.probability)
    for photos, _ in read_batches(paths, view, max_pixels=max_pixels):
        prepared = [photo.prepared for photo in photos]
        for features, photo in zip(view.embed(prepared), prepared, strict=True):
            sample = view.sample(features, photo)
            total += resized(prior.classifier.probability(sample), sample.grid)
    return np.asarray(total / max(1, len(paths)), dtype=np.float32)


def _part(probability: Floats, crop: Shares) -> Floats:
    """What the whole photo's prior says of a crop, at the crop's own grid."""
    left, top, right, bottom = crop
    height, width = probability.shape
    rows = overlaps(np.linspace(top, bottom, height + 1), height)
    columns = overlaps(np.linspace(left, right, width + 1), width)
    return np.asarray(rows @ probability @ columns.T, dtype=np.float32)


def _correlation(one: Sequence[Floats], other: Sequence[Floats]) -> float:
    a, b = np.concatenate(one), np.concatenate(other)
    spread = float(a.std() * b.std())
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread > 0 else 0.0

"""Where in a photo the goods are, told so that the frame tells nothing.

A network pads its input, and features near the rim show it. A regression of the middle against
the rim finds that first: it tells them apart perfectly where the same stuff fills the frame, and on
goods before shelves, too, it knows the frame better than the goods. So the view is moved: photos
are cropped to each corner, such that a crop's edge goes through the goods. What is learnt there is
tested on other photos, on patches of the goods and of the surroundings that lie equally near to the
edge of what the network sees. Padding makes all of these alike: where it is all that differs, they
cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import Doubles, Floats, Mask
from ..building.prior import Classifier, Prior, middle_and_rim_at, resized
from ..building.reading import read_batches
from ..evaluating.damage.goods import Goods
from ..features.extractor import FeatureExtractor
from ..features.sample import Sample
from ..photo.dataset import evenly
from ..photo.look import Shares
from .candidates import cropping

# Of `follows`, half-way from chance to certainty. Measured: 0.54 to 0.58 where drawn textures fill
# the frame, with ResNet18 and EfficientNet-Lite0; 0.87 and 0.93 on cartons before shelves, with
# ResNet18. Light that falls off towards the rim tells the middle, too (0.97): `varied` and the
# interval must then decide.
LEAST_FOLLOWS = 0.75

# Of a crop: its inner edges go through the middle of the photo, as its outer edges are the rim.
_SIDE = 0.65
# Photos learnt from, and as many others to test on.
_PHOTOS = 24
# Patches of a kind that a crop gives.
_MOST_PATCHES = 100
# Of a crop's side: a strip along its edges, as wide as the rim of a photo.
_STRIP = 0.15


@dataclass(frozen=True)
class Finder:
    """Finds the goods in a photo.

    Attributes:
        follows: AUROC of patches of the goods against patches of their surroundings, equally near
            to the frame, on photos that were not learnt from; near 0.5 it is all the frame.
    """

    classifier: Classifier = field(repr=False)
    follows: float

    def goods(self, sample: Sample, prior: Prior) -> Goods:
        """Where damage is drawn in a photo: where it shows the goods, and where they mostly are."""
        own = self.classifier.probability(sample)
        mostly = resized(prior.probability.astype(np.float64), own.shape)
        return Goods.likely(np.asarray(own * np.clip(mostly, 0, 1), dtype=np.float32))


def learn_finder(
    learnt: Sequence[Path], held_out: Sequence[Path], extractor: FeatureExtractor, max_pixels: int
) -> Finder:
    """
    Args:
        learnt, held_out: paths of good photos; 24 of each are taken.
        extractor: of the whole photo.
    """
    chance = np.random.default_rng(0)
    teaching: tuple[list[Floats], list[Floats]] = [], []
    testing: tuple[list[Floats], list[Floats]] = [], []
    for crop in _corners():
        view = extractor.looking(cropping(crop))
        for sample in _samples(evenly(learnt, _PHOTOS), view, max_pixels):
            _take(sample, middle_and_rim_at(*_places(sample, crop)), teaching, chance)
        for sample in _samples(evenly(held_out, _PHOTOS), view, max_pixels):
            middle, rim = middle_and_rim_at(*_places(sample, crop))
            near = _near_the_edge(sample)
            _take(sample, (middle & near, rim & near), testing, chance)
    goods, around = (np.concatenate(kind) for kind in teaching)
    classifier = Classifier.fit(goods, around)
    follows = classifier.tells_apart(*(np.concatenate(kind) for kind in testing))
    return Finder(classifier, follows)


def _corners() -> Iterator[Shares]:
    for top in (0.0, 1 - _SIDE):
        for left in (0.0, 1 - _SIDE):
            yield (left, top, left + _SIDE, top + _SIDE)


def _samples(paths: Sequence[Path], view: FeatureExtractor, max_pixels: int) -> Iterator[Sample]:
    for photos, _ in read_batches(paths, view, max_pixels=max_pixels):
        prepared = [photo.prepared for photo in photos]
        for features, photo in zip(view.embed(prepared), prepared, strict=True):
            yield view.sample(features, photo)


def _places(sample: Sample, crop: Shares) -> tuple[Doubles, Doubles]:
    """(h, w) each: y and x of a crop's cells, in shares of the whole photo."""
    left, top, right, bottom = crop
    height, width = sample.cells.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    y = top + (bottom - top) * (rows + 0.5) / height
    x = left + (right - left) * (columns + 0.5) / width
    return y, x


def _near_the_edge(sample: Sample) -> Mask:
    """(h, w): cells in a strip along the edges of what is seen."""
    y, x = _places(sample, (0.0, 0.0, 1.0, 1.0))
    return np.asarray(np.minimum.reduce([y, x, 1 - y, 1 - x]) < _STRIP)


def _take(
    sample: Sample,
    kinds: tuple[Mask, Mask],
    to: tuple[list[Floats], list[Floats]],
    chance: np.random.Generator,
) -> None:
    for cells, taken in zip(kinds, to, strict=True):
        patches = sample.cells[cells]
        taken.append(patches[chance.permutation(len(patches))[:_MOST_PATCHES]])

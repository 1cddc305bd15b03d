"""Where in good photos the goods are: a prior learnt from the photos alone, without labels.

A logistic regression tells features of the middle from features of the rim, over all photos: goods
that are held or stood before a camera are in the middle of most photos, shelves and hands lie
around them. The mean of its probabilities at each place over the photos is the prior.

On photos whose goods fill the frame it would tell the goods' own middle from their own rim, and
must not be used. Two figures say which case it is: see `Prior`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ..arrays import Doubles, Floats, Mask
from ..errors import PresetError
from ..features.sample import Sample, Samples

# Shares of the photo. Measured on photos of cartons held before shelves; 10 % more or less of each
# moved the AUROC by less than 0.01.
_MIDDLE_ROWS, _MIDDLE_COLUMNS, _RIM = (0.3, 0.7), (0.35, 0.65), 0.1
# Patches of each kind: ten times as many as features have dimensions, and more than enough.
_MOST_PATCHES = 20_000
# Cells at the outermost rim whose features the network's own padding makes: they tell nothing.
_PADDED = 2


class NoPrior(PresetError):
    """A prior cannot be learnt from these photos."""


@dataclass(frozen=True)
class Prior:
    """How likely each place shows the goods, and whether that can be known.

    Attributes:
        probability: (H, W) float32 over the photo.
        apart: AUROC of middle against rim on photos that the regression has not seen; near 0.5
            both look alike, and the prior says nothing.
        varied: of the features' variance at the rim, the share that differs from photo to photo at
            the same place: 1 where the surroundings are different each time, 0 where all photos
            show the same there.
        classifier: p(goods | feature), of which the probability is the mean.
    """

    probability: Floats = field(repr=False)
    apart: float
    varied: float
    classifier: Classifier = field(repr=False)


def learn_prior(samples: Samples, seed: int = 0) -> Prior:
    """Learn the prior from good photos' patches.

    Args:
        samples: of whole photos, all cells. seed: which patches the regression gets.

    Raises:
        NoPrior: the photos have no middle, or no rim.
    """
    chance = np.random.default_rng(seed)
    half = range(0, len(samples), 2), range(1, len(samples), 2)
    # Padded cells teach, too. Without them the prior is narrower and misses the goods' ends: on
    # cartons AUROC 0.70 in place of 0.74 (ResNet18); with EfficientNet-Lite0 it made no difference.
    model = Classifier.fit(*_kinds(samples, half[0], chance, padded=0))
    unseen = _kinds(samples, half[1], chance, padded=_PADDED)
    grid = samples[0].grid
    total = np.zeros(grid)
    for sample in samples:
        total += resized(model.probability(sample), grid)  # (H, W)
    return Prior(
        probability=np.asarray(total / len(samples), dtype=np.float32),
        apart=model.tells_apart(*unseen),
        varied=_varied(samples),
        classifier=model,
    )


@dataclass(frozen=True)
class Classifier:
    """p(middle | feature)."""

    weights: Doubles
    bias: float

    @classmethod
    def fit(cls, middle: Floats, rim: Floats) -> Classifier:
        both = np.concatenate([middle, rim])
        mean, std = both.mean(axis=0), both.std(axis=0) + 1e-6
        labels = np.repeat([1, 0], [len(middle), len(rim)])
        found = LogisticRegression(C=0.1, max_iter=200).fit((both - mean) / std, labels)
        weights = found.coef_[0] / std
        return cls(weights, float(found.intercept_[0] - weights @ mean))

    def probability(self, sample: Sample) -> Doubles:
        """(h, w)"""
        return np.asarray(1 / (1 + np.exp(-(sample.cells @ self.weights + self.bias))))

    def tells_apart(self, middle: Floats, rim: Floats) -> float:
        scores = np.concatenate([middle, rim]) @ self.weights
        return float(roc_auc_score(np.repeat([1, 0], [len(middle), len(rim)]), scores))


def _kinds(
    samples: Samples, chosen: Sequence[int], chance: np.random.Generator, *, padded: int
) -> tuple[Floats, Floats]:
    """(n, D) patches of the middle and of the rim, about as many of each photo.

    Args:
        padded: rows and columns of the grid's own rim to pass over.
    """
    kinds: tuple[list[Floats], list[Floats]] = [], []
    wanted = max(1, _MOST_PATCHES // len(chosen))
    for index in chosen:
        sample = samples[index]
        for kind, cells in zip(kinds, _middle_and_rim(sample, padded), strict=True):
            patches = sample.cells[cells]
            kind.append(patches[chance.permutation(len(patches))[:wanted]])
    middle, rim = (np.concatenate(kind) for kind in kinds)
    if not len(middle) or not len(rim):
        raise NoPrior(
            "where the goods are cannot be learnt: the photos are so narrow that the network sees "
            "no middle apart from their rim; take a box, or photos of another shape"
        )
    return middle, rim


def _middle_and_rim(sample: Sample, padded: int) -> tuple[Mask, Mask]:
    """(h, w) each: cells in the middle of the photo, and at its rim."""
    height, width = sample.cells.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    edge = np.minimum.reduce([rows, columns, height - 1 - rows, width - 1 - columns])
    more = padded / min(height, width)
    middle, rim = middle_and_rim_at((rows + 0.5) / height, (columns + 0.5) / width, more)
    return middle, rim & (edge >= padded)


def middle_and_rim_at(y: Doubles, x: Doubles, more: float = 0.0) -> tuple[Mask, Mask]:
    """Which of places, in shares of the photo, are in its middle, and which at its rim.

    Args:
        more: by how much the rim is wider.
    """
    (top, bottom), (left, right) = _MIDDLE_ROWS, _MIDDLE_COLUMNS
    middle = (y > top) & (y < bottom) & (x > left) & (x < right)
    rim = np.minimum.reduce([y, x, 1 - y, 1 - x]) < _RIM + more
    return np.asarray(middle), np.asarray(rim)


def resized(probability: Doubles, grid: tuple[int, int]) -> Floats:
    """Of a photo's own cells -> of the whole grid, stretched over it."""
    image = Image.fromarray(probability.astype(np.float32))
    return np.asarray(image.resize((grid[1], grid[0]), Image.Resampling.BILINEAR))


def _varied(samples: Samples) -> float:
    """The mean over the rim's places of their variance, by that of all places together."""
    grid, width = samples[0].grid, samples[0].cells.shape[-1]
    seen, total, squares = np.zeros(grid), np.zeros((*grid, width)), np.zeros((*grid, width))
    rim = np.zeros(grid, dtype=np.bool_)
    for sample in samples:
        seen[sample.place] += 1
        total[sample.place] += sample.cells
        squares[sample.place] += np.square(sample.cells, dtype=np.float64)
        rim[sample.place] |= _middle_and_rim(sample, _PADDED)[1]
    often = seen * 2 > len(samples)
    inner = often.copy()
    inner[:_PADDED], inner[-_PADDED:], inner[:, :_PADDED], inner[:, -_PADDED:] = (False,) * 4
    rim &= often
    if not rim.any() or not inner.any():
        return 0.0
    mean = total / np.maximum(seen, 1)[..., None]
    own = (squares / np.maximum(seen, 1)[..., None] - np.square(mean)).sum(axis=-1)  # (H, W)
    count = seen[inner].sum()
    overall = squares[inner].sum(axis=0) / count - np.square(total[inner].sum(axis=0) / count)
    return float(own[rim].mean() / max(float(overall.sum()), 1e-12))

"""Finds the carton: a small pixel classifier per SKU, taught on good photos by place alone.

The middle of a photo is product, the rim is shelf, the left edge is the hand. The classifier is
then taught a second time with what it said itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from sklearn.ensemble import ExtraTreesClassifier

from app.core.evaluating.damage.pixels import Array, Photo
from bench.cartons.box import fit_box
from bench.cartons.product import Product

WORK = 64  # long side at which the product is looked for: print vanishes, the carton's shape stays


def _shrink(photo: Photo) -> Array:
    """(h, w, 3) in 0..1 with the long side `WORK`, the middle's brightness set to a fixed value."""
    height, width = photo.shape[:2]
    scale = WORK / max(height, width)
    size = (round(width * scale), round(height * scale))
    small = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BOX)) / 255.0
    middle = small[size[1] // 5 : -size[1] // 5, size[0] // 3 : -size[0] // 4].mean()
    return np.asarray(small * np.clip(0.45 / max(middle, 1e-3), 0.6, 2.2))


def _place_prior(shape: tuple[int, ...]) -> Array:
    """(h, w) log odds of product by place: cartons are held right of the middle, upright."""
    y, x = (np.mgrid[: shape[0], : shape[1]] + 0.5) / np.array(shape[:2])[:, None, None]
    return np.asarray(2.0 - 1.6 * (((x - 0.54) / 0.22) ** 2 + ((y - 0.5) / 0.40) ** 2))


def _place_labels(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """(h, w) first guess by place: 1 product, 0 not, -1 unknown. The hand comes in at the left."""
    prior = _place_prior(shape)
    labels = np.where(prior > 1.2, 1, np.where(prior < -1.0, 0, -1))
    labels[int(0.4 * shape[0]) : int(0.9 * shape[0]), : int(0.12 * shape[1])] = 0
    return np.asarray(labels)


def _pixel_features(small: Array) -> NDArray[np.float32]:
    """(h * w, F): colour, and colour and texture around, at two scales."""
    columns = [small, small / (small.sum(-1, keepdims=True) + 0.1)]
    for sigma in (1.5, 4.0):
        mean = ndimage.gaussian_filter(small, (sigma, sigma, 0))
        square = ndimage.gaussian_filter(small**2, (sigma, sigma, 0))
        columns += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    gradient = ndimage.gaussian_gradient_magnitude(small.mean(-1), 0.7)
    columns += [ndimage.gaussian_filter(gradient, s)[..., None] for s in (2, 5)]
    stacked = np.concatenate(columns, axis=-1)
    return stacked.reshape(-1, stacked.shape[-1]).astype(np.float32)


def _edge_smooth(small: Array, value: Array, pull: float = 0.05) -> Array:
    """(h, w): `value` averaged inside areas of one colour, not across their borders.

    A random walker with the value as data term: (L + pull I) x = pull value.
    """
    height, width = value.shape
    index = np.arange(height * width).reshape(height, width)
    across = np.exp(-12 * np.abs(np.diff(small, axis=1)).sum(-1)).ravel()
    down = np.exp(-12 * np.abs(np.diff(small, axis=0)).sum(-1)).ravel()
    weight = np.concatenate([across, down]) + 0.003
    i = np.concatenate([index[:, :-1].ravel(), index[:-1].ravel()])
    j = np.concatenate([index[:, 1:].ravel(), index[1:].ravel()])
    pairs = (np.concatenate([i, j]), np.concatenate([j, i]))
    near = sparse.coo_matrix((np.concatenate([weight, weight]), pairs)).tocsr()
    system = sparse.diags(np.asarray(near.sum(1)).ravel() + pull) - near
    return np.asarray(spsolve(system.tocsc(), pull * value.ravel())).reshape(height, width)


class ProductFinder:
    """Tells the carton of one SKU from the shelf and the hand, taught by place alone."""

    def __init__(self, photos: Sequence[Photo], seed: int) -> None:
        smalls = [_shrink(photo) for photo in photos]
        features = [_pixel_features(small) for small in smalls]
        labels = [_place_labels(small.shape) for small in smalls]
        self._classifier = self._fit(features, labels, seed)
        # Once more with what the first classifier says: the place alone is a rough teacher.
        labels = [self._relabel(small) for small in smalls]
        self._classifier = self._fit(features, labels, seed + 1)

    @staticmethod
    def _fit(
        features: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.int64]], seed: int
    ) -> ExtraTreesClassifier:
        x, y = np.concatenate(features), np.concatenate([label.ravel() for label in labels])
        known = np.flatnonzero(y >= 0)
        chosen = np.random.default_rng(seed).choice(known, min(len(known), 10_000), replace=False)
        trees = ExtraTreesClassifier(
            20, min_samples_leaf=12, max_features=6, class_weight="balanced", random_state=seed
        )
        return trees.fit(x[chosen], y[chosen])

    def _relabel(self, small: Array) -> NDArray[np.int64]:
        probability = self._probability(small)
        return np.where(probability > 0.65, 1, np.where(probability < 0.4, 0, -1))

    def _probability(self, small: Array) -> Array:
        """(h, w): the classifier's say and the place together."""
        said = self._classifier.predict_proba(_pixel_features(small))
        product = said[:, -1] if said.shape[1] > 1 else np.full(len(said), 0.5)
        clipped = np.clip(product.reshape(small.shape[:2]), 0.05, 0.95)
        odds = 1.5 * np.log(clipped / (1 - clipped)) + 0.9 * _place_prior(small.shape) - 0.4
        return _edge_smooth(small, 1 / (1 + np.exp(-odds)))

    def find(self, photo: Photo) -> Product:
        """The carton in a photo."""
        small = _shrink(photo)
        probability = self._probability(small)
        height, width = photo.shape[:2]
        scale = np.array([width / small.shape[1], height / small.shape[0]])
        image = Image.fromarray(probability.astype(np.float32)).resize((width, height))
        corners = fit_box(small, probability - 0.5) * scale
        return Product(np.asarray(image, dtype=np.float64), corners)

"""A few hundred numbers for each photo, by which those of one picture are found among many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..photo.fingerprint import Fingerprint
from .registration import blur, halved, register

_EDGE = 3  # pixels: a picture laid over another has none there
_COARSE = 1.5  # sigmas, pixels
_FINE, _FINER = 2.5, 1.0
_ROUNDING = 0.2  # detail weaker than this, in grey values, is none
# Correlations above which two photos are worth a look; nineteen in twenty copies cropped by 5 %
# have more by one of the three.
_WORTH = (0.7, 0.7, 0.5)


@dataclass(frozen=True)
class Sketches:
    """Of n photos, by three kinds of sketch: the photo made small, less the set's mean; the same
    laid over the mean, which brings a crop of aligned goods back to its place; and the fine details
    of that, in which goods of one mould differ.

    Attributes:
        kinds: (n, D) float32 each, rows of unit length.
    """

    kinds: tuple[Floats, ...]

    @classmethod
    def of(cls, prints: Sequence[Fingerprint]) -> Sketches:
        if not prints:
            return cls(())
        mean: Floats = np.zeros_like(_small(prints[0]))
        for one in prints:
            mean += _small(one) / np.float32(len(prints))
        drawn = [_draw(_small(one), mean) for one in prints]
        as_it_is, laid, details = (np.stack(kind) for kind in zip(*drawn, strict=True))
        return cls((_unit(as_it_is), _unit(laid), _unit(details - details.mean(axis=0))))

    def likeness(self, rows: range) -> Floats:
        """(rows, kinds, n) float32: correlation with each of the photos; 0 where it is too low to
        be a copy's."""
        found = [kind[rows.start : rows.stop] @ kind.T for kind in self.kinds]
        return np.stack(
            [np.where(one > worth, one, 0) for one, worth in zip(found, _WORTH, strict=True)],
            axis=1,
        )


def _draw(picture: Floats, mean: Floats) -> tuple[Floats, Floats, Floats]:
    placement = register(mean, picture)
    laid = picture if placement is None else placement.lay(picture)[0]
    detail = blur(laid, _FINER) - blur(laid, _FINE)
    even = detail / np.sqrt(blur(detail**2, 2.0) + _ROUNDING**2)
    coarse, coarse_laid = blur(picture - mean, _COARSE), blur(laid - mean, _COARSE)
    return _sampled(coarse, 3), _sampled(coarse_laid, 3), _sampled(even, 2)


def _sampled(picture: Floats, every: int) -> Floats:
    return picture[_EDGE:-_EDGE:every, _EDGE:-_EDGE:every].ravel()


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / (lengths + 1e-6), dtype=np.float32)


def _small(one: Fingerprint) -> Floats:
    return halved(one.grey.astype(np.float32))

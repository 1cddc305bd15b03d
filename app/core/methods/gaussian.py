"""A Gaussian per place: how far a cell is from what good photos show just there (PaDiM).

Defard et al. 2021 (arXiv:2011.08785). For goods that always lie in the same place: each cell of the
grid has a mean and a covariance of its own, and a cell's score is its Mahalanobis distance to them,
sqrt((x − μ)ᵀ Σ⁻¹ (x − μ)). A preset draws some dimensions by chance first, as the paper does.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from ..arrays import Doubles, Floats
from ..errors import BankError, CalibrationError, PresetError
from ..features.sample import Sample, Samples
from .method import Facts, Learnt, Lesson, Method, MethodSettings, checked

# Numbers of all covariances together: 128 MiB when they serve, 520 MiB while they are learnt.
_MOST_NUMBERS = 1 << 25
# Places whose covariances are inverted at once.
_BLOCK = 64
# Photos whose products are summed at once.
_BATCH = 32
# Of fewer photos a covariance says nothing.
_FEWEST = 8
# A place that a smaller share of the photos shows (the rim of a letterbox) takes the statistics of
# all places.
_SHARE = 0.5


class GaussianSettings(MethodSettings):
    """How the covariances are made fit to be inverted.

    Attributes:
        shrinkage: λ of Σ = (1 − λ) S + λ (tr S / D) I, towards a sphere of the same size (the
            target of Ledoit & Wolf 2004, J. Multivariate Analysis 88:365; λ is fixed here).
        own: which places have statistics of their own, a bit each, in hexadecimal; the build finds
            it. The folds of a calibration must not decide that anew: a place near the limit would
            be judged by one measure there and by another when the bank serves.
    """

    shrinkage: float = Field(default=0.1, ge=1e-6, lt=1.0)
    own: str = Field(default="", pattern=r"^[0-9a-f]*$", max_length=1 << 20)


class Gaussian(Method):
    """Mahalanobis distances to the mean of each place.

    Attributes:
        mean: (H·W, D) float32. whitening: (H·W, D, D) float32, lower triangular: with the
            covariance Σ = L Lᵀ it is L⁻¹, so that the distance is ‖L⁻¹ (x − μ)‖.
    """

    kind = "gaussian"
    Settings = GaussianSettings

    def __init__(self, settings: GaussianSettings, mean: Floats, whitening: Floats) -> None:
        self._settings = settings
        self.mean, self.whitening = mean, whitening

    @property
    def settings(self) -> GaussianSettings:
        return self._settings

    @classmethod
    def fit(cls, settings: GaussianSettings, lesson: Lesson) -> Self:
        """Two passes over the samples: means, then products of the differences from them.

        Raises:
            PresetError: more places and dimensions than memory is kept for.
            CalibrationError: too few photos.
        """
        first = lesson.samples[0]
        places, width = first.grid[0] * first.grid[1], first.cells.shape[-1]
        if places * width**2 > _MOST_NUMBERS:
            most = int((_MOST_NUMBERS / places) ** 0.5)
            raise PresetError(
                f"{places} places of {width} dimensions are too many covariances: keep {most} "
                'dimensions at most, with rule = "random" in [selection], or lower input_size'
            )
        if len(lesson) < _FEWEST:
            raise CalibrationError(
                f"{len(lesson)} photos are too few for a covariance, which takes {_FEWEST}; with "
                "those that calibration leaves out, give 10 good photos or more"
            )
        seen, mean = _means(lesson.samples, places, width)
        products = _products(lesson, mean)
        if not settings.own:
            often = np.packbits(seen >= _SHARE * len(lesson))
            settings = settings.model_copy(update={"own": often.tobytes().hex()})
        bits = np.frombuffer(bytes.fromhex(settings.own), dtype=np.uint8)
        own = np.unpackbits(bits)[:places].astype(bool) & (seen > 1)
        pooled_mean = np.average(mean, axis=0, weights=seen)
        away = mean - pooled_mean
        pooled = (products.sum(axis=0) + (away * seen[:, None]).T @ away) / max(1, seen.sum() - 1)
        products /= np.maximum(seen - 1, 1)[:, None, None]  # now they are covariances
        products[~own], mean[~own] = pooled, pooled_mean
        whitening = _whitening(products, settings.shrinkage)
        return cls(settings, mean.astype(np.float32), whitening)

    def score(self, sample: Sample, highest: int) -> Floats:  # noqa: ARG002 - all are exact
        width = self.mean.shape[1]
        grid = sample.grid
        if grid[0] * grid[1] != len(self.mean) or sample.cells.shape[-1] != width:
            raise BankError(
                f"cells of {sample.cells.shape[-1]} dimensions on a grid of {grid} are not what "
                f"was learnt: {len(self.mean)} places of {width}"
            )
        rows, columns = sample.place
        mean = self.mean.reshape(*grid, width)[rows, columns]
        whitening = self.whitening.reshape(*grid, width, width)[rows, columns]
        apart = np.matmul(whitening, (sample.cells - mean)[..., None])[..., 0]  # (h, w, D)
        return np.asarray(np.linalg.norm(apart, axis=2), dtype=np.float32)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Of the triangles only what is not 0, in rows."""
        rows, columns = np.tril_indices(self.mean.shape[1])
        return {"mean": self.mean, "whitening": self.whitening[:, rows, columns]}

    @classmethod
    def load(cls, settings: GaussianSettings, tensors: Learnt) -> Self:
        found = checked(tensors, {"mean": (np.float32, 2), "whitening": (np.float32, 2)})
        mean, packed = found["mean"], found["whitening"]
        places, width = mean.shape
        if 0 in mean.shape or places * width**2 > _MOST_NUMBERS:
            raise BankError(f"means of {mean.shape} are none that are learnt")
        if packed.shape != (places, width * (width + 1) // 2):
            raise BankError(f"whitening of {packed.shape} is not that of means of {mean.shape}")
        whitening = np.zeros((places, width, width), dtype=np.float32)
        rows, columns = np.tril_indices(width)
        whitening[:, rows, columns] = packed
        return cls(settings, mean, whitening)

    def facts(self) -> Facts:
        return {"places": self.mean.shape[0], "dimensions": self.mean.shape[1]}


def _means(samples: Samples, places: int, width: int) -> tuple[npt.NDArray[np.int64], Doubles]:
    """How many photos show each place, (H·W,), and their mean there, (H·W, D)."""
    grid = samples[0].grid
    seen, total = np.zeros(grid, dtype=np.int64), np.zeros((*grid, width))
    for sample in samples:
        seen[sample.place] += 1
        total[sample.place] += sample.cells
    mean = total / np.maximum(seen, 1)[..., None]
    return seen.reshape(places), mean.reshape(places, width)


def _products(lesson: Lesson, mean: Doubles) -> Doubles:
    """(H·W, D, D): the sum over photos of (x − μ)(x − μ)ᵀ at each place."""
    samples, (places, width) = lesson.samples, mean.shape
    grid = samples[0].grid
    at = mean.reshape(*grid, width)
    total = np.zeros((places, width, width))
    for start in range(0, len(samples), _BATCH):
        batch = range(start, min(start + _BATCH, len(samples)))
        apart = np.zeros((len(batch), *grid, width), dtype=np.float32)  # 0 adds nothing
        for row, index in enumerate(batch):
            sample = samples[index]
            apart[row][sample.place] = sample.cells - at[sample.place]
        by_place = apart.reshape(len(batch), places, width).transpose(1, 0, 2)  # (H·W, n, D)
        total += np.matmul(by_place.transpose(0, 2, 1), by_place)
        lesson.progress(batch.stop, len(samples))
    return total


def _whitening(covariance: Doubles, shrinkage: float) -> Floats:
    """(H·W, D, D) covariances -> the inverses of their Cholesky factors, float32."""
    width = covariance.shape[1]
    size = np.trace(covariance, axis1=1, axis2=2) / width
    # Where good photos never differ, any difference at all is a defect; but a float32 must hold it.
    size = np.maximum(size, 1e-6 * max(float(size.max()), 1e-12))
    found = np.empty(covariance.shape, dtype=np.float32)
    eye = torch.eye(width, dtype=torch.float64)
    for start in range(0, len(covariance), _BLOCK):
        block = slice(start, start + _BLOCK)
        shrunk = torch.from_numpy((1 - shrinkage) * covariance[block])
        shrunk.diagonal(dim1=1, dim2=2).add_(torch.from_numpy(shrinkage * size[block])[:, None])
        factor = torch.linalg.cholesky(shrunk)
        found[block] = torch.linalg.solve_triangular(factor, eye, upper=False).numpy()
    return found


METHOD = Gaussian

"""Which of the features' dimensions are kept: found once at the build, then part of the spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..arrays import Doubles, Floats, Indices
from ..features.extractor import FeatureExtractor
from ..features.sample import Sample, Samples


class HighestStd(BaseModel):
    """The dimensions of highest standard deviation over all cells (the *carpet* work: 500).

    Attributes:
        keep: how many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Literal["highest_std"] = "highest_std"
    keep: int = Field(ge=1)

    def columns(self, samples: Samples) -> Indices:
        """(keep,) int64, ascending; all of them where there are no more."""
        return highest_std_dimensions(samples, self.keep)


class RandomDimensions(BaseModel):
    """As many dimensions drawn by chance, which keeps what covariances need of correlated features
    (Defard et al. 2021, arXiv:2011.08785, sec. 3.3: about as good as principal components).

    Attributes:
        keep: how many. seed: of the draw.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Literal["random"] = "random"
    keep: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)

    def columns(self, samples: Samples) -> Indices:
        """(keep,) int64, ascending; all of them where there are no more."""
        dimensions = samples[0].cells.shape[-1]
        drawn = np.random.default_rng(self.seed).permutation(dimensions)[: self.keep]
        return np.sort(drawn)


@dataclass(frozen=True)
class Kept(Samples):
    """Samples with some of their dimensions alone."""

    samples: Samples
    columns: Indices

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index].only(self.columns)


Selection = Annotated[HighestStd | RandomDimensions, Field(discriminator="rule")]


def narrowed(
    samples: Samples, selection: Selection | None, extractor: FeatureExtractor
) -> tuple[Samples, FeatureExtractor]:
    """The dimensions that are kept, of the samples and of the features to come."""
    if selection is None:
        return samples, extractor
    columns = selection.columns(samples)
    changes = {"selected_dimensions": tuple(columns.tolist())}
    return Kept(samples, columns), extractor.with_spec(extractor.spec.model_copy(update=changes))


def highest_std_dimensions(samples: Samples, kept: int) -> Indices:
    """The `kept` dimensions with the highest standard deviation, in ascending order.

    Two passes over the samples: they may not fit into memory together.
    """
    count = sum(len(sample.teaching) for sample in samples)
    mean = _sum_over(samples, lambda patches: patches) / count
    squares = _sum_over(samples, lambda patches: np.square(patches - mean))
    return np.sort(np.argsort(-np.sqrt(squares / count), kind="stable")[:kept])


def _sum_over(samples: Samples, term: Callable[[Floats], Floats | Doubles]) -> Doubles:
    total = np.zeros(samples[0].cells.shape[-1])
    for sample in samples:
        total += term(sample.teaching).sum(axis=0, dtype=np.float64)
    return total

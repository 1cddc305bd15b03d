"""What a method is: it learns from samples of good photos, and scores the cells of others.

A method is one module in this folder that names its class `METHOD`, and a preset; nothing else
knows it by name. `gaussian.py` is the shortest example.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ..arrays import Floats
from ..errors import BankError
from ..features.sample import Both, Chosen, Sample, Samples
from .scoring import Scoring

Learnt = Mapping[str, npt.NDArray[Any]]
Facts = dict[str, int | float]
# (N, 2) int32: a sample of the lesson, and a cell of its whole grid, counted row by row.
Sources = npt.NDArray[np.int32]


class MethodSettings(BaseModel):
    """A method's own values in a preset's `[method]`, beside `kind`; stored in the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Lesson:
    """What a method learns from.

    Attributes:
        samples: of good photos.
        groups: one name per sample; photos of one group belong together, as those of one SKU.
        scoring: how cells become a photo's score.
        progress: called with (done, total).
        warn: takes a sentence for the person who builds.
        turned: turned and mirrored copies of the samples, as many of each, in their order.
        copies: of the samples, the last so many are such copies.
    """

    samples: Samples
    groups: Sequence[str]
    scoring: Scoring
    progress: Callable[[int, int], None] = lambda _done, _total: None
    warn: Callable[[str], None] = lambda _text: None
    turned: Samples | None = None
    copies: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def photos(self) -> Samples:
        """The samples that are no copies of others."""
        if not self.copies:
            return self.samples
        return Chosen(self.samples, range(len(self) - self.copies))

    def with_turned(self) -> Lesson:
        """What a method is to learn: the copies among the samples, each of its photo's group."""
        if self.turned is None:
            return self
        each = len(self.turned) // len(self)
        groups = [*self.groups, *(group for group in self.groups for _ in range(each))]
        samples = Both(self.samples, self.turned)
        return replace(self, samples=samples, groups=groups, turned=None, copies=len(self.turned))

    def of(self, chosen: Sequence[int]) -> Lesson:
        """The same from these samples and their copies alone, in silence: one fold of a
        calibration."""
        turned = self.turned
        if turned is not None:
            each = len(turned) // len(self)
            turned = Chosen(turned, [i * each + copy for i in chosen for copy in range(each)])
        return replace(
            self,
            samples=Chosen(self.samples, chosen),
            turned=turned,
            groups=[self.groups[index] for index in chosen],
            progress=lambda _done, _total: None,
            warn=lambda _text: None,
        )


class Method(ABC):
    """What has learnt from good photos. Immutable; `score` is safe to share between threads.

    Attributes:
        kind: its name in presets and manifests.
        Settings: the values that a preset may give it.
        settings: those with which it was made, completed by what `fit` found.
        keeps_cells: whether it keeps cells as they are, and has `sources` and `distances`.
    """

    kind: ClassVar[str]
    keeps_cells: ClassVar[bool] = False
    Settings: ClassVar[type[MethodSettings]]

    @property
    @abstractmethod
    def settings(self) -> MethodSettings: ...

    @classmethod
    @abstractmethod
    def fit(cls, settings: Any, lesson: Lesson) -> Self:
        """Learn. `settings` is of this class's `Settings`.

        Raises:
            GoodsGuardError: it cannot be learnt from these samples; the text says why.
        """

    @abstractmethod
    def score(self, sample: Sample, highest: int) -> Floats:
        """How unlike good photos each cell is: (h, w) float32, larger = more anomalous.

        Cells that are not looked at may have any score. Weights are not applied here.

        Args:
            highest: so many of the highest values, times their cells' weights, decide the photo's
                score and must be right; where that is quicker, the others may be too large as long
                as they stay below.

        Raises:
            BankError: cells of another dimension, or at places that it has not learnt.
        """

    @abstractmethod
    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """What it has learnt, by name: float32, int32 or uint8, stored as `method.<name>`."""

    @classmethod
    @abstractmethod
    def load(cls, settings: Any, tensors: Learnt) -> Self:
        """What `tensors` gave, from an untrusted file.

        Raises:
            BankError: names, types, shapes or values that are none of its own.
        """

    @property
    def sources(self) -> Sources | None:
        """Right after the fit, of a method that keeps cells as they are: which cell each of its N
        vectors is. It is not among the tensors."""
        return None

    def distances(self, cells: Floats) -> Floats | None:  # noqa: ARG002 - for those who can
        """(Q, D) float32 cells -> (Q, N) float32, Euclidean, to each vector that it keeps; None
        where it keeps none."""
        return None

    @abstractmethod
    def facts(self) -> Facts:
        """Numbers that tell people what was learnt: vectors, dimensions, parameters, ..."""

    def leave_one_out(self, lesson: Lesson) -> Floats | None:  # noqa: ARG002 - for those who can
        """(n,) scores of the samples it was fitted on, each as if its own group were unknown;
        None where only a fit without them can tell."""
        return None

    def for_serving(self, lesson: Lesson) -> Self:  # noqa: ARG002 - for those who can
        """The same, quicker to ask; made once, after the fit, from the same lesson."""
        return self


@dataclass(frozen=True)
class Scorer:
    """A method and how its cells become one number: what build, golden photos and service ask."""

    method: Method
    scoring: Scoring

    def cells(self, sample: Sample) -> Floats:
        """(h, w) float32 scores of the cells, by what they count; 0 where nothing is looked at.

        Raises:
            BankError: the method cannot score them.
        """
        shape = sample.cells.shape[:2]
        highest = self.scoring.counted(int(sample.looked.sum()), sample.looked.size)
        cells = self.method.score(sample, highest)
        if cells.shape != shape:
            raise BankError(f"{self.method.kind} scored {cells.shape} cells of {shape}")
        return cells if sample.weights is None else cells * sample.weights

    def image_score(self, sample: Sample, cells: Floats) -> float:
        """The photo's score, of the scores of its cells.

        Raises:
            NonFiniteScore: NaN or infinity among the cells that make it.
        """
        looked = cells if sample.weights is None else cells[sample.looked]
        return self.scoring.image_score(looked, cells.size)

    def score_map(self, sample: Sample, cells: Floats) -> Floats:
        """(h, w) float32: the map that is shown, 0 where nothing is looked at."""
        return self.scoring.score_map(cells, None if sample.weights is None else sample.looked)

    def score(self, sample: Sample) -> float:
        """The photo's score.

        Raises:
            NonFiniteScore: NaN or infinity among the cells that make it.
        """
        return self.image_score(sample, self.cells(sample))


def checked(tensors: Learnt, shapes: Mapping[str, tuple[Any, int]]) -> Learnt:
    """Tensors from a file, if they are these and no others.

    Args:
        shapes: by name the type and the number of axes wanted.

    Raises:
        BankError: another name, type or number of axes, or NaN or infinity.
    """
    if missing := sorted(set(shapes) - set(tensors)):
        raise BankError(f"the bank lacks {', '.join(missing)}")
    if extra := sorted(set(tensors) - set(shapes)):
        raise BankError(f"the bank holds {', '.join(extra)}, which its method does not have")
    for name, (dtype, axes) in shapes.items():
        tensor = tensors[name]
        if tensor.dtype != np.dtype(dtype) or tensor.ndim != axes:
            raise BankError(f"the bank's {name} must be {np.dtype(dtype)} with {axes} axes")
        if np.issubdtype(tensor.dtype, np.floating) and not np.isfinite(tensor).all():
            raise BankError(f"the bank's {name} has NaN or infinite values")
    return tensors

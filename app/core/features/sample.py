"""Sample: one photo as methods see it; Samples: many of them, perhaps in a file; Chosen of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..arrays import Floats


@dataclass(frozen=True)
class Sample:
    """The cells of the feature grid that lie on one photo; those of the padding are left out.

    Attributes:
        cells: (h, w, D) float32 features; h = w = 1 for global features.
        top, left: row and column of the first cell in the whole grid, so that a method that
            learns each place by itself knows which place a cell is.
        grid: (H, W) cells of the whole input.
    """

    cells: Floats = field(repr=False)
    top: int
    left: int
    grid: tuple[int, int]

    @property
    def patches(self) -> Floats:
        """(h·w, D): the cells in rows, top to bottom."""
        return self.cells.reshape(-1, self.cells.shape[-1])

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the whole grid."""
        height, width = self.cells.shape[:2]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def only(self, columns: npt.NDArray[np.int64]) -> Sample:
        """The same place with these dimensions alone."""
        return replace(self, cells=np.ascontiguousarray(self.cells[..., columns]))


class Samples(Protocol):
    """Samples that may lie in a file: read one after the other, as often as needed."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True)
class Chosen(Samples):
    """Some of the samples, by index."""

    samples: Samples
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[self.indices[index]]

"""Sample: one photo as methods see it; Samples: many of them, perhaps in a file; some, and more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..arrays import Floats, Indices
from ..errors import UnsupportedImage
from ..photo.box import Box
from ..photo.look import NOTHING_LEFT, Look


@dataclass(frozen=True)
class Sample:
    """The cells of the feature grid that lie on one photo; those of the padding are left out.

    Attributes:
        cells: (h, w, D) float32 features; h = w = 1 for global features.
        top, left: row and column of the first cell in the whole grid, so that a method that
            learns each place by itself knows which place a cell is.
        grid: (H, W) cells of the whole input.
        content: where in the grid the photo itself lies, in cells; None: where its cells do.
        weights: (h, w) float32 in [0, 1], what each cell counts; one of 0 is not looked at: it has
            no score. None: all count alike.
        all_teach: whether cells that are not looked at are learnt from all the same.
    """

    cells: Floats = field(repr=False)
    top: int
    left: int
    grid: tuple[int, int]
    content: Box | None = None
    weights: Floats | None = field(default=None, repr=False)
    all_teach: bool = False

    @property
    def patches(self) -> Floats:
        """(P, D): the cells that are looked at, in rows, top to bottom."""
        rows = self.cells.reshape(-1, self.cells.shape[-1])
        return rows if self.weights is None else rows[self.looked.ravel()]

    @property
    def teaching(self) -> Floats:
        """(P, D): the cells that a method learns from, in the same order."""
        return self.cells.reshape(-1, self.cells.shape[-1]) if self.all_teach else self.patches

    @property
    def taught(self) -> Indices:
        """(P,): the place of each row of `teaching` in the whole grid, counted row by row."""
        rows, columns = (np.arange(axis.start, axis.stop) for axis in self.place)
        places = rows[:, None] * self.grid[1] + columns
        return places.ravel() if self.all_teach else places[self.looked]

    @cached_property
    def looked(self) -> npt.NDArray[np.bool_]:
        """(h, w): which cells are looked at."""
        if self.weights is None:
            return np.ones(self.cells.shape[:2], dtype=np.bool_)
        return self.weights > 0

    @property
    def patch_weights(self) -> Floats | None:
        """(P,) weights of the patches; None: all alike."""
        return None if self.weights is None else self.weights[self.looked]

    def placed(self, values: Floats) -> Floats:
        """One value a patch, (P,) -> (h, w) float32, 0 where nothing is looked at."""
        if self.weights is None:
            return np.asarray(values.reshape(self.cells.shape[:2]), dtype=np.float32)
        found = np.zeros(self.cells.shape[:2], dtype=np.float32)
        found[self.looked] = values
        return found

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the whole grid."""
        height, width = self.cells.shape[:2]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def seen_by(self, look: Look) -> Sample:
        """The sample with what each of its cells counts.

        Raises:
            UnsupportedImage: nothing of the photo is looked at.
        """
        rows, columns = self.place
        content = self.content or Box(columns.start, rows.start, columns.stop, rows.stop)
        weights = look.cell_weights(self.place, content)
        if weights is None:
            return self
        return replace(self, weights=weights, all_teach=look.record.all_teach)

    def under(self, unmasked: Floats) -> Sample:
        """The sample without the cells that a photo's own mask covers.

        Args:
            unmasked: (h, w), 1 for a cell that is looked at, 0 for another.

        Raises:
            UnsupportedImage: nothing of the photo is looked at any more.
        """
        weights = unmasked if self.weights is None else self.weights * unmasked
        if not weights.any():
            raise UnsupportedImage(NOTHING_LEFT)
        return replace(self, weights=np.asarray(weights, dtype=np.float32))

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


@dataclass(frozen=True)
class Both(Samples):
    """Some samples, and others after them."""

    first: Samples
    second: Samples

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, index: int) -> Sample:
        if index < len(self.first):
            return self.first[index]
        return self.second[index - len(self.first)]

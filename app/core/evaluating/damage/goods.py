"""Where in the photos of a set the goods are, for damage to be drawn there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...arrays import Floats
from .pixels import Array


@dataclass(frozen=True)
class Goods:
    """Attributes:
    chance: (m, n) float32 over the photo, how likely damage is drawn in each place, any sum.
    area: share of the photo that shows the goods.
    """

    chance: Floats = field(repr=False)
    area: float

    @classmethod
    def everywhere(cls) -> Goods:
        """They fill the frame."""
        return cls(np.ones((1, 1), dtype=np.float32), 1.0)

    @classmethod
    def likely(cls, probability: Floats) -> Goods:
        """They are where a (m, n) probability says. Squared: damage beside the goods is none."""
        return cls(np.square(probability), float(probability.mean()))

    def place(self, rng: np.random.Generator) -> Array:
        """(x, y) of one place, shares of the photo."""
        chance = self.chance.ravel().astype(np.float64)
        cell = int(rng.choice(len(chance), p=chance / chance.sum()))
        row, column = divmod(cell, self.chance.shape[1])
        y, x = (np.array([row, column]) + rng.uniform(0, 1, 2)) / self.chance.shape
        return np.array([x, y])

"""Drift: do photos score as good ones did when the bank was built?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp

from ..arrays import Floats

# Fewer say too little.
MIN_PHOTOS = 50
HIGH = 0.9
# Far enough that somebody should look, and not by chance. Photos of one camera resemble each other,
# so that the test's p-value is too small: alone it would warn of differences that nobody sees.
_FAR, _BY_CHANCE = 0.15, 0.001
_BINS = 24

Moved = Literal["not", "up", "down"]


@dataclass(frozen=True)
class Drift:
    """Photos' scores beside the calibration scores.

    Attributes:
        number: photos.
        above_median, above_high: shares of them that score above the calibration scores' median,
            and above their 90 % quantile, above which 10 % of good photos did.
        distance: the Kolmogorov-Smirnov statistic, from 0 (equal) to 1. p_value: of its test.
        edges, calibration, photos: both histograms, in shares, over the same bins.
    """

    number: int
    above_median: float
    above_high: float
    distance: float
    p_value: float
    edges: list[float]
    calibration: list[float]
    photos: list[float]

    @property
    def moved(self) -> Moved:
        """Which way the scores have moved, if they have."""
        if self.distance < _FAR or self.p_value > _BY_CHANCE:
            return "not"
        as_expected = 0.5 + (1 - HIGH)
        return "up" if self.above_median + self.above_high >= as_expected else "down"


def drift(calibration: Floats, photos: npt.NDArray[np.float64]) -> Drift | None:
    """Compare (n,) float32 calibration scores with (m,) float64 scores of photos that came since.

    Returns:
        None where there are fewer photos than MIN_PHOTOS.
    """
    if len(photos) < MIN_PHOTOS:
        return None
    known, came = calibration.astype(np.float64), photos
    test = ks_2samp(known, came, method="asymp")
    both = np.concatenate([known, came])
    # Scores far out would leave all others one bin.
    low, high = float(both.min()), float(np.quantile(both, 0.995))
    edges = np.linspace(low, max(high, low + 1e-9), _BINS + 1)
    shares = [np.histogram(np.clip(s, low, edges[-1]), edges)[0] / len(s) for s in (known, came)]
    return Drift(
        number=len(came),
        above_median=float((came > np.median(known)).mean()),
        above_high=float((came > np.quantile(known, HIGH)).mean()),
        distance=float(test.statistic),
        p_value=float(test.pvalue),
        edges=edges.tolist(),
        calibration=shares[0].tolist(),
        photos=shares[1].tolist(),
    )

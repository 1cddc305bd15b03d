"""Two methods on the same photos: the difference of their AUROCs, and whether it is proven."""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import norm

from .metrics import Floats, auroc, auroc_interval, auroc_variance, placements

Labelled = tuple[Floats, Floats]  # scores of the (n,) good and of the (m,) defective photos


class Difference(BaseModel):
    """A method's AUROC less another's on the same photos, with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    ci95: tuple[float, float]

    @property
    def is_proven(self) -> bool:
        """Whether the interval excludes 0."""
        low, high = self.ci95
        return low > 0 or high < 0


def auroc_difference(
    method: Labelled, other: Labelled, level: float = 0.95, each: int = 1
) -> Difference:
    """The difference of two AUROCs with its interval, paired by photo.

    Its variance is V(A) + V(B) − 2 Cov(A, B) of DeLong, DeLong, Clarke-Pearson (1988), Biometrics
    44:837, eq. 6, with placement values from mid-ranks (Sun & Xu 2014): that of the placement
    values' differences, photo by photo.

    Where one of the two variances is 0 (labels separated without overlap, or all scores equal) it
    says nothing. The interval then joins the two single ones as if the methods had been tried on
    different photos, which is the wider (Newcombe 1998, Stat. Med. 17:873, method 10).

    Args:
        method, other: each one's scores of the same photos in the same order.
        each: so many defective ones in a row show one photo, and count as one.
    """
    assert [len(scores) for scores in method] == [len(scores) for scores in other]
    value = auroc(*method) - auroc(*other)
    mine, theirs = placements(*method, each), placements(*other, each)
    few = min(len(method[0]), len(method[1]) // each) < 2
    if few or not auroc_variance(*mine) or not auroc_variance(*theirs):
        return Difference(value=value, ci95=_joined(value, method, other, level, each))
    paired = (a - b for a, b in zip(mine, theirs, strict=True))
    spread = float(norm.ppf((1 + level) / 2)) * math.sqrt(auroc_variance(*paired))
    return Difference(value=value, ci95=_within(value - spread, value + spread))


def _joined(
    value: float, method: Labelled, other: Labelled, level: float, each: int
) -> tuple[float, float]:
    a, b = auroc(*method), auroc(*other)
    (low_a, high_a), (low_b, high_b) = (auroc_interval(*s, level, each) for s in (method, other))
    below, above = math.hypot(a - low_a, high_b - b), math.hypot(high_a - a, b - low_b)
    return _within(value - below, value + above)


def _within(low: float, high: float) -> tuple[float, float]:
    return float(np.clip(low, -1, 1)), float(np.clip(high, -1, 1))

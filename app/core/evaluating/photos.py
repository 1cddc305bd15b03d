"""Intervals where each damaged photo is a copy of a good one that is scored, too.

A photo of busy surroundings scores high, as it is and with damage: what disturbs is in both. An
interval that takes good and damaged photos for different ones counts that twice, and is too wide.
Here a photo, good and damaged, is one observation (Obuchowski 1997, Biometrics 53:567: clusters
with members of both labels).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm

from .metrics import Floats, auroc, auroc_variance, placements
from .pairing import Difference, Labelled, auroc_difference

_LEVEL = 0.95


def photos_difference(own: Labelled, other: Labelled, each: int) -> Difference:
    """The difference of two looks' AUROCs on the same photos, with its 95 % interval.

    Args:
        own, other: of n good photos their scores, and of each photo's `each` damaged copies, in
            the photos' order: (n,) and (n · each,).
    """
    mine, theirs = placements(*own, each), placements(*other, each)
    if len(own[0]) < 2 or not auroc_variance(*mine) or not auroc_variance(*theirs):
        return auroc_difference(own, other, each=each)
    value = auroc(*own) - auroc(*other)
    spread = float(norm.ppf((1 + _LEVEL) / 2)) * math.sqrt(_variance(_sum(mine) - _sum(theirs)))
    low, high = np.clip([value - spread, value + spread], -1, 1).tolist()
    return Difference(value=value, ci95=(low, high))


def _sum(of: tuple[Floats, Floats]) -> Floats:
    """(n,): what each photo adds to the AUROC, good and damaged."""
    above_good, below_damaged = of
    return np.asarray(above_good + below_damaged)


def _variance(of_photos: Floats) -> float:
    return float(np.var(of_photos, ddof=1)) / len(of_photos)

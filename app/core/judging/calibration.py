"""Held-out scores -> threshold, p-value, verdict.

Calibration scores are scores of good images against a bank that does not hold them: an image whose
own embedding is in the bank scores about 0, and a threshold from such scores would be worthless.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from scipy.stats import norm

from ..arrays import Floats, Indices
from ..errors import CalibrationError, InvalidRule
from ..wording import plain_faults

A_RATE = "a false-alarm rate lies between 0 and 1, e.g. 0.01 for 1 %"


class _Rule(BaseModel):
    """What the rules share: one of wrong values says so in words, where it is made in a program."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as exc:
            raise InvalidRule(plain_faults(exc)) from exc


class MeanStd(_Rule):
    """threshold = mean + k · std of the calibration scores (std with n − 1)."""

    rule: Literal["mean_std"] = "mean_std"
    k: float = Field(default=3.0, ge=0.0, le=20.0)

    def value(self, scores: Floats) -> float:
        return float(np.mean(scores, dtype=np.float64) + self.k * np.std(scores, ddof=1))

    def promise(self, scores: Floats) -> float:  # noqa: ARG002 - the interface of the rules
        """The false-alarm rate this rule promises if good scores are normally distributed."""
        return float(norm.sf(self.k))


class Quantile(_Rule):
    """threshold = the q-quantile of the calibration scores (linear interpolation)."""

    rule: Literal["quantile"] = "quantile"
    q: float = Field(default=0.99, gt=0.0, lt=1.0)

    def value(self, scores: Floats) -> float:
        return float(np.quantile(scores.astype(np.float64), self.q))

    def promise(self, scores: Floats) -> float:  # noqa: ARG002 - the interface of the rules
        """The false-alarm rate this rule aims at."""
        return round(1.0 - self.q, 12)  # 0.01, not 0.010000000000000009


class Alpha(_Rule):
    """The smallest threshold above which a score's conformal p-value is at most alpha.

    Scores above the ⌈(n + 1)(1 − alpha)⌉-th smallest of n calibration scores have p ≤ alpha: if
    good photos to come are exchangeable with the calibration photos, at most alpha of them raise
    a false alarm (Vovk, Gammerman, Shafer 2005; Laxhammar & Falkman 2010 for anomaly detection).
    """

    rule: Literal["alpha"] = "alpha"
    alpha: float = Field(default=0.01, gt=0.0, lt=1.0)

    @field_validator("alpha", mode="before")
    @classmethod
    def _is_a_rate(cls, value: object) -> object:
        if isinstance(value, int | float) and not 0 < value < 1:  # NaN, too
            raise ValueError(A_RATE)
        return value

    def value(self, scores: Floats) -> float:
        n = len(scores)
        # Less a hair: 300 · 0.99 is 297.00000000000006 in floating point.
        rank = math.ceil((n + 1) * (1 - self.alpha) - 1e-9)
        if rank > n:
            smallest = smallest_alpha(n)
            needed = math.ceil(1 / self.alpha - 1 - 1e-9)
            raise CalibrationError(
                f"{n} calibration scores cannot carry a false-alarm rate of {self.alpha:g}: the "
                f"smallest they can is {smallest:.6g}. Ask for at least that, or add good photos "
                f"until there are {needed}."
            )
        return float(np.partition(scores, rank - 1)[rank - 1])

    def promise(self, scores: Floats) -> float:  # noqa: ARG002 - the interface of the rules
        """alpha itself."""
        return self.alpha


class Fixed(_Rule):
    """A threshold set by hand."""

    rule: Literal["fixed"] = "fixed"
    threshold: float = Field(ge=0.0, allow_inf_nan=False)

    def value(self, scores: Floats) -> float:  # noqa: ARG002 - the interface of the rules
        return self.threshold

    def promise(self, scores: Floats) -> float:
        """The conformal bound: the p-value of a score just above the threshold."""
        return (1 + int((scores > self.threshold).sum())) / (len(scores) + 1)


Rule = MeanStd | Quantile | Alpha | Fixed
ThresholdRule = Annotated[Rule, Field(discriminator="rule")]


def rate_meant(rule: Rule) -> float:
    """The share of good photos that a rule leaves above the threshold by counting them; 1: none."""
    if isinstance(rule, Alpha):
        return rule.alpha
    return 1.0 - rule.q if isinstance(rule, Quantile) else 1.0


def smallest_alpha(n: int) -> float:
    """The smallest false-alarm rate that n scores can promise: 1/(n + 1), rounded up."""
    return math.ceil(1e6 / (n + 1)) / 1e6


def alpha_to_ask_for(n: int) -> float:
    """The smallest rate that n photos carry, rounded up to a number to type: three decimals or two
    digits, whichever is finer."""
    smallest = smallest_alpha(n)
    scale = 10.0 ** max(3, 1 - math.floor(math.log10(smallest)))
    return math.ceil(smallest * scale - 1e-9) / scale


@dataclass(frozen=True)
class Calibration:
    """What turns a score into a verdict.

    Attributes:
        scores: (n,) float32, calibration scores.
        threshold: scores strictly above it are anomalous.
        alpha: the promised false-alarm rate.
    """

    scores: Floats
    threshold: float
    alpha: float

    @classmethod
    def from_rule(cls, scores: Floats, rule: Rule) -> Calibration:
        """Apply a threshold rule to calibration scores.

        Raises:
            CalibrationError: fewer than 2 scores, or too few for the rule; NaN or infinity.
        """
        if len(scores) < 2:
            raise CalibrationError(f"{len(scores)} calibration scores; a threshold needs 2 or more")
        if not np.isfinite(scores).all():
            raise CalibrationError("the calibration scores have NaN or infinite values")
        return cls(scores=scores, threshold=rule.value(scores), alpha=rule.promise(scores))

    @cached_property
    def _sorted(self) -> Floats:
        return np.sort(self.scores)

    def p_value(self, score: float) -> float:
        """Conformal p-value `(1 + #{calibration ≥ score}) / (n + 1)`.

        Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World (2005), ch. 2.
        """
        n = len(self.scores)
        at_least = n - int(np.searchsorted(self._sorted, np.float32(score), side="left"))
        return (1 + at_least) / (n + 1)

    def is_anomalous(self, score: float) -> bool:
        """The verdict: strictly above the threshold."""
        return score > self.threshold


def assign_folds(groups: Sequence[str], folds: int, seed: int) -> Indices:
    """The fold of each image: groups stay together, folds are about equal in images.

    Groups go in seeded order, each to the fold that has the fewest images so far.

    Returns:
        (N,) int64, values below min(folds, number of groups).

    Raises:
        CalibrationError: fewer than 2 groups.
    """
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise CalibrationError("calibration needs good images of at least 2 groups")
    sizes = np.bincount(members)
    images = np.zeros(min(folds, len(names)), dtype=np.int64)
    fold_of = np.empty(len(names), dtype=np.int64)
    for group in np.random.default_rng(seed).permutation(len(names)):
        fold_of[group] = images.argmin()
        images[fold_of[group]] += sizes[group]
    return fold_of[members]

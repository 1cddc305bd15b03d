"""Numbers -> places in inline SVG: percentages and points, so that they fit every screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..service.evaluations import LabelScores
from .threshold_trial import bars, frame

# As many points of a curve as can be told apart.
_POINTS = 200


@dataclass(frozen=True)
class EvaluationChart:
    """An evaluation's pictures.

    Attributes:
        low, high, ticks: of the histograms' axis. good, defective: (bins,) heights from 0 to 1.
        place: the threshold's, from 0 to 1.
        roc: points of the curve as SVG has them, in a square of 100 × 100.
        x, y: the threshold's point on it.
    """

    low: float
    high: float
    ticks: list[float]
    good: list[float]
    defective: list[float]
    place: float
    roc: str
    x: float
    y: float


def evaluation_chart(scores: LabelScores, threshold: float) -> EvaluationChart:
    """Of the scores of both labels, of which each has one or more."""
    good, bad = (np.sort(np.array(some)) for some in (scores.good, scores.defective))
    low, high, ticks = frame({"training": good, "bad": bad}, threshold)
    place = min(1.0, max(0.0, (threshold - low) / (high - low)))
    cuts = np.unique(np.concatenate([good, bad]))[::-1]
    alarms = np.concatenate([[0.0], _at_least(good, cuts)])
    recall = np.concatenate([[0.0], _at_least(bad, cuts)])
    keep = np.unique(np.linspace(0, len(alarms) - 1, min(len(alarms), _POINTS)).astype(int))
    points = [(100 * alarms[i], 100 * (1 - recall[i])) for i in keep]
    return EvaluationChart(
        low,
        high,
        ticks,
        bars(good, low, high),
        bars(bad, low, high),
        place,
        _path(points),
        round(100 * float((good > threshold).mean()), 2),
        round(100 * (1 - float((bad > threshold).mean())), 2),
    )


def _at_least(ascending: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    return 1 - np.searchsorted(ascending, cuts, side="left") / len(ascending)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)

"""How well scores tell defective from good: AUROC with its interval, AP, the operating point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm, rankdata
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Counts and rates at one threshold; defective is the positive class."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def recall(self) -> float | None:
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def precision(self) -> float | None:
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def false_alarm_rate(self) -> float | None:
        return _ratio(self.fp, self.fp + self.tn)


def auroc(good: Floats, defective: Floats) -> float:
    """Area under the ROC curve; both labels must be there."""
    labels, scores = _joined(good, defective)
    return float(roc_auc_score(labels, scores))


def average_precision(good: Floats, defective: Floats) -> float:
    """Area under the precision-recall curve, as scikit-learn sums it."""
    labels, scores = _joined(good, defective)
    return float(average_precision_score(labels, scores))


def auroc_interval(good: Floats, defective: Floats, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the AUROC: DeLong's variance on the logit scale.

    DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837, with the placement values from
    mid-ranks (Sun & Xu 2014, IEEE SPL 21:1389). The logit keeps the interval inside [0, 1]
    (Pepe 2003, The Statistical Evaluation of Medical Tests, 5.2.4).

    Where the two labels are separated without overlap that variance is 0 and says nothing; the
    open end is then the Clopper-Pearson bound for n out of n of the smaller label.
    """
    m, n = len(defective), len(good)
    area = auroc(good, defective)
    if area in (0.0, 1.0):
        bound = ((1 - level) / 2) ** (1 / min(m, n))
        return (bound, 1.0) if area == 1.0 else (0.0, 1 - bound)
    joined = rankdata(np.concatenate([defective, good]))
    above_good = (joined[:m] - rankdata(defective)) / n  # V10, one per defective image
    below_defective = 1 - (joined[m:] - rankdata(good)) / m  # V01, one per good image
    variance = _sample_variance(above_good) / m + _sample_variance(below_defective) / n
    spread = norm.ppf((1 + level) / 2) * np.sqrt(variance) / (area * (1 - area))
    logit = np.log(area / (1 - area))
    low, high = 1 / (1 + np.exp(-(logit - spread))), 1 / (1 + np.exp(-(logit + spread)))
    return float(low), float(high)


def operating_point(good: Floats, defective: Floats, threshold: float) -> OperatingPoint:
    """Counts at a threshold; scores strictly above it are called defective."""
    labels, scores = _joined(good, defective)
    tn, fp, fn, tp = confusion_matrix(labels, scores > threshold, labels=[False, True]).ravel()
    return OperatingPoint(tp=int(tp), fp=int(fp), tn=int(tn), fn=int(fn))


def binomial_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson (exact) interval of a rate of `hits` out of `n`."""
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high


def _sample_variance(values: Floats) -> float:
    return float(np.var(values, ddof=1)) if len(values) > 1 else 0.25


def _joined(good: Floats, defective: Floats) -> tuple[npt.NDArray[np.bool_], Floats]:
    labels = np.repeat([False, True], [len(good), len(defective)])
    return labels, np.concatenate([good, defective])


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None

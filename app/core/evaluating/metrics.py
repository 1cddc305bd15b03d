"""How well scores tell defective from good: AUROC with its interval, AP, the operating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from scipy.stats import beta, norm, rankdata
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
)

Floats = npt.NDArray[np.floating]

_BINS = 1 << 16


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


def auroc_interval(
    good: Floats, defective: Floats, level: float = 0.95, each: int = 1
) -> tuple[float, float]:
    """Confidence interval of the AUROC: DeLong's variance on the logit scale.

    DeLong, DeLong, Clarke-Pearson (1988), Biometrics 44:837, with the placement values from
    mid-ranks (Sun & Xu 2014, IEEE SPL 21:1389). The logit keeps the interval inside [0, 1]
    (Pepe 2003, The Statistical Evaluation of Medical Tests, 5.2.4).

    Where that variance is 0 (labels separated without overlap, or all scores equal) it says
    nothing; the interval is then Clopper-Pearson's for a share of the smaller label.

    Args:
        each: so many defective ones in a row show one photo, and count as one (`placements`).
    """
    area = auroc(good, defective)
    variance = auroc_variance(*placements(good, defective, each))
    if area in (0.0, 1.0) or variance == 0:
        smaller = min(len(good), len(defective) // each)
        return binomial_interval(round(area * smaller), smaller, level)
    spread = norm.ppf((1 + level) / 2) * np.sqrt(variance) / (area * (1 - area))
    logit = np.log(area / (1 - area))
    low, high = 1 / (1 + np.exp(-(logit - spread))), 1 / (1 + np.exp(-(logit + spread)))
    return float(low), float(high)


def placements(good: Floats, defective: Floats, each: int = 1) -> tuple[Floats, Floats]:
    """Placement values, whose means are the AUROC.

    Args:
        each: so many defective ones in a row belong together. What they share would make an
            interval too narrow that takes them for independent ones: their mean is one value
            (Obuchowski 1997, Biometrics 53:567, for clusters of one size).

    Returns:
        V10, (m / each,): the share of good images below each defective one, ties half; V01, (n,):
        the share of defective images above each good one.
    """
    m, n = len(defective), len(good)
    joined = rankdata(np.concatenate([defective, good]))
    above_good = (joined[:m] - rankdata(defective)) / n
    return above_good.reshape(-1, each).mean(axis=1), 1 - (joined[m:] - rankdata(good)) / m


def auroc_variance(above_good: Floats, below_defective: Floats) -> float:
    """DeLong's variance of the mean of placement values (or of a difference of two methods')."""
    variances = _sample_variance(above_good), _sample_variance(below_defective)
    return variances[0] / len(above_good) + variances[1] / len(below_defective)


def operating_point(good: Floats, defective: Floats, threshold: float) -> OperatingPoint:
    """Counts at a threshold; scores strictly above it are called defective."""
    labels, scores = _joined(good, defective)
    tn, fp, fn, tp = confusion_matrix(labels, scores > threshold, labels=[False, True]).ravel()
    return OperatingPoint(tp=int(tp), fp=int(fp), tn=int(tn), fn=int(fn))


def f1_max(good: Floats, defective: Floats) -> float:
    """The best F1 over all thresholds: what a threshold chosen with hindsight would reach."""
    labels, scores = _joined(good, defective)
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))


def pixel_auroc(maps: Sequence[Floats], masks: Sequence[npt.NDArray[np.bool_]]) -> float | None:
    """AUROC over all pixels of all images; None where no pixel is marked, or all are.

    Computed from histograms of 2¹⁶ bins, which bounds the memory; the AUROC of binned scores
    differs from the exact one by less than 1e-4 of the score's range of ranks.

    Args:
        maps: (H, W) anomaly maps. masks: of the same shapes, True on the defect.
    """
    if not maps:
        return None
    edges = _edges(maps)
    marked, clean = _histograms(maps, masks, edges)
    if marked.sum() == 0 or clean.sum() == 0:
        return None
    recall = np.concatenate([[0.0], np.cumsum(marked[::-1]) / marked.sum()])
    false_alarms = np.concatenate([[0.0], np.cumsum(clean[::-1]) / clean.sum()])
    return float(np.trapezoid(recall, false_alarms))


def aupro(
    maps: Sequence[Floats], masks: Sequence[npt.NDArray[np.bool_]], limit: float = 0.3
) -> float | None:
    """Area under the per-region overlap curve up to a false-positive rate, divided by that rate.

    Bergmann et al. 2021 (IJCV 129:1038), sec. 5.2: at each threshold the share of every connected
    ground-truth region that is found, averaged over regions, against the share of clean pixels
    that are called defective. None where no region is marked.

    Args:
        maps: (H, W) anomaly maps. masks: of the same shapes, True on the defect.
        limit: the false-positive rate up to which is integrated.
    """
    if not maps:
        return None
    edges = _edges(maps)
    # Weighted by 1/size, so that all regions' pixels share one histogram: the sum over it is the
    # regions' mean overlap, in memory that no number of regions raises.
    found, n_regions = np.zeros(_BINS), 0
    for map_, mask in zip(maps, masks, strict=True):
        regions, count = label(mask, structure=np.ones((3, 3)))
        if count:
            sizes = np.bincount(regions.ravel())
            found += np.histogram(map_[mask], edges, weights=1 / sizes[regions[mask]])[0]
            n_regions += count
    _, clean = _histograms(maps, masks, edges)
    if not n_regions or clean.sum() == 0:
        return None
    overlap = np.concatenate([[0.0], np.cumsum(found[::-1]) / n_regions])
    false_alarms = np.concatenate([[0.0], np.cumsum(clean[::-1]) / clean.sum()])
    below = false_alarms <= limit
    x = np.append(false_alarms[below], limit)
    y = np.append(overlap[below], np.interp(limit, false_alarms, overlap))
    return float(np.trapezoid(y, x) / limit)


def _edges(maps: Sequence[Floats]) -> Floats:
    low = min(float(map_.min()) for map_ in maps)
    high = max(float(map_.max()) for map_ in maps)
    return np.linspace(low, max(high, low + 1e-9), _BINS + 1)


def _histograms(
    maps: Sequence[Floats], masks: Sequence[npt.NDArray[np.bool_]], edges: Floats
) -> tuple[Floats, Floats]:
    """Counts per bin of the marked pixels and of the clean ones."""
    marked, clean = np.zeros(_BINS), np.zeros(_BINS)
    for map_, mask in zip(maps, masks, strict=True):
        marked += np.histogram(map_[mask], edges)[0]
        clean += np.histogram(map_[~mask], edges)[0]
    return marked, clean


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

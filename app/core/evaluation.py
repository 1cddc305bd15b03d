"""The stored test split -> how well a bank tells good from defective."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from app.core import metrics
from app.core.artifact import Manifest
from app.core.dataset import Category, LabelledImage
from app.core.errors import ImageError, NoTestSplit

Interval = tuple[float, float]


class Judgement(Protocol):
    """What an evaluation needs of a detector's answer."""

    @property
    def score(self) -> float: ...


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class AtThreshold(_Frozen):
    """Counts and rates at the bank's threshold; `null` where a denominator is 0."""

    tp: int
    fp: int
    tn: int
    fn: int
    recall: float | None
    precision: float | None
    false_alarm_rate: float | None
    false_alarm_rate_ci95: Interval = Field(description="Clopper-Pearson, over the good images")


class PerDefect(_Frozen):
    """One defect type against all good images."""

    n: int
    auroc: float
    recall: float


class Evaluation(_Frozen):
    """How a bank version did on the stored test split."""

    category: str
    bank_version: str
    preset: str
    evaluated_at: datetime
    n_good: int
    n_defective: int
    n_unreadable: int
    auroc: float
    auroc_ci95: Interval = Field(description="DeLong, on the logit scale")
    average_precision: float
    threshold: float
    alpha: float = Field(description="the false-alarm rate that the threshold's rule promises")
    at_threshold: AtThreshold
    per_defect: dict[str, PerDefect]
    pixel_auroc: float | None = None
    aupro: float | None = None
    images_per_second: float


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """A test image and its score."""

    image: LabelledImage
    score: float


@dataclass(frozen=True)
class EvaluationRun:
    """The figures, and the scores behind them."""

    evaluation: Evaluation
    scored: tuple[ScoredImage, ...]
    unreadable: tuple[Path, ...]


def evaluate(
    category: Category,
    manifest: Manifest,
    inspect: Callable[[bytes], Judgement],
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> EvaluationRun:
    """Score a category's test split, one photo at a time as the service would.

    Args:
        inspect: `Detector.inspect`, or what routes to it.
        progress: called with (done, total) after each image.

    Raises:
        NoTestSplit: nothing readable of one of the two labels.
    """
    scored: list[ScoredImage] = []
    unreadable: list[Path] = []
    start = time.perf_counter()
    for done, image in enumerate(category.test, start=1):
        try:
            scored.append(ScoredImage(image, inspect(image.path.read_bytes()).score))
        except (ImageError, OSError):
            unreadable.append(image.path)
        progress(done, len(category.test))
    seconds = time.perf_counter() - start
    evaluation = summarise(scored, manifest, n_unreadable=len(unreadable), seconds=seconds)
    return EvaluationRun(evaluation, tuple(scored), tuple(unreadable))


def summarise(
    scored: Sequence[ScoredImage], manifest: Manifest, *, n_unreadable: int, seconds: float
) -> Evaluation:
    """Scores -> the evaluation object.

    Raises:
        NoTestSplit: no image of one of the two labels.
    """
    good = _scores(scored, lambda image: not image.is_defective)
    defective = _scores(scored, lambda image: image.is_defective)
    if not len(good) or not len(defective):
        raise NoTestSplit(
            f"{len(good)} good and {len(defective)} defective images of the test split of "
            f"{manifest.category} can be read; both are needed"
        )
    threshold = manifest.threshold.value
    point = metrics.operating_point(good, defective, threshold)
    return Evaluation(
        category=manifest.category,
        bank_version=manifest.bank_version,
        preset=manifest.preset,
        evaluated_at=datetime.now(UTC),
        n_good=len(good),
        n_defective=len(defective),
        n_unreadable=n_unreadable,
        auroc=metrics.auroc(good, defective),
        auroc_ci95=metrics.auroc_interval(good, defective),
        average_precision=metrics.average_precision(good, defective),
        threshold=threshold,
        alpha=manifest.threshold.alpha,
        at_threshold=AtThreshold(
            tp=point.tp,
            fp=point.fp,
            tn=point.tn,
            fn=point.fn,
            recall=point.recall,
            precision=point.precision,
            false_alarm_rate=point.false_alarm_rate,
            false_alarm_rate_ci95=metrics.binomial_interval(point.fp, point.fp + point.tn),
        ),
        per_defect=_per_defect(scored, good, threshold),
        images_per_second=len(scored) / seconds if seconds > 0 else 0.0,
    )


def _per_defect(
    scored: Sequence[ScoredImage], good: metrics.Floats, threshold: float
) -> dict[str, PerDefect]:
    types = sorted({s.image.defect_type for s in scored if s.image.is_defective})
    table = {}
    for name in types:
        scores = _scores(scored, lambda image, name=name: image.defect_type == name)  # type: ignore[misc]
        table[name] = PerDefect(
            n=len(scores),
            auroc=metrics.auroc(good, scores),
            recall=float(np.mean(scores > threshold)),
        )
    return table


def _scores(scored: Sequence[ScoredImage], keep: Callable[[LabelledImage], bool]) -> metrics.Floats:
    return np.array([s.score for s in scored if keep(s.image)], dtype=np.float64)

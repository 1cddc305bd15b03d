"""The stored test split -> how well a bank tells good from defective."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ..errors import ImageError, NoTestSplit, TooManyPixels
from ..photo.dataset import Category, LabelledImage
from ..store.manifest import Manifest
from . import leaks, metrics
from .pixels import Pixels
from .remarks import remarks

Interval = tuple[float, float]


class Judgement(Protocol):
    """What an evaluation needs of a detector's answer."""

    @property
    def score(self) -> float: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


J = TypeVar("J", bound=Judgement)
# (judgement, (height, width)) -> the anomaly map at that shape; None for global methods
AnomalyMap = Callable[[J, tuple[int, int]], npt.NDArray[np.float32] | None]


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

    remarks: tuple[str, ...] = Field(
        default=(), description="what to know before any figure, the gravest first"
    )
    category: str
    bank_version: str
    preset: str
    engine: str | None = Field(default=None, description="runtime and precision that scored")
    evaluated_at: datetime
    n_good: int
    n_defective: int
    n_unreadable: int
    auroc: float
    auroc_ci95: Interval = Field(description="DeLong, on the logit scale")
    average_precision: float
    f1_max: float = Field(description="best F1 over all thresholds, with hindsight")
    threshold: float
    alpha: float = Field(description="the false-alarm rate that the threshold's rule promises")
    at_threshold: AtThreshold
    per_defect: dict[str, PerDefect]
    pixel_auroc: float | None = Field(description="where masks exist and the method has maps")
    aupro: float | None = Field(description="integrated to a false-positive rate of 0.3")
    n_unusable_masks: int = Field(
        default=0, description="their photos are left out of the pixel metrics alone"
    )
    n_small_marks: int = Field(
        default=0, description="marks under a map's pixel, which count as one pixel each"
    )
    images_per_second: float


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """A test image and its score."""

    image: LabelledImage
    score: float


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A test photo that could not be judged, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class EvaluationRun:
    """The figures, and the scores behind them.

    Attributes:
        leaked: scored photos that are training photos, too.
    """

    evaluation: Evaluation
    scored: tuple[ScoredImage, ...]
    unreadable: tuple[Unreadable, ...]
    leaked: frozenset[Path] = frozenset()


@dataclass(frozen=True)
class SplitScores:
    """A test split, scored.

    Attributes:
        seconds: of inspecting alone. pixels: maps and masks, for the pixel metrics.
    """

    scored: tuple[ScoredImage, ...]
    unreadable: tuple[Unreadable, ...]
    seconds: float
    pixels: Pixels


def evaluate(
    category: Category,
    manifest: Manifest,
    inspect: Callable[[bytes], J],
    *,
    engine: str | None = None,
    anomaly_map: AnomalyMap[J] = lambda _judgement, _shape: None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> EvaluationRun:
    """Score a category's test split, one photo at a time as the service would.

    Args:
        inspect: `Detector.inspect`, or what routes to it. engine: `Detector.engine`.
        anomaly_map: `Detector.anomaly_map`, for the pixel metrics.
        progress: called with (done, total) after each image.

    Raises:
        NoTestSplit: nothing readable of one of the two labels.
    """
    split = score_split(category, inspect, anomaly_map=anomaly_map, progress=progress)
    leaked = leaks.in_both(category.train, [s.image.path for s in split.scored])
    told = leaks.remark(leaked, len(split.scored))
    evaluation = summarise(
        split.scored,
        manifest,
        engine=engine,
        n_unreadable=len(split.unreadable),
        seconds=split.seconds,
        pixels=split.pixels,
        notes=(*([told] if told else []), *category.remarks),
    )
    return EvaluationRun(evaluation, split.scored, split.unreadable, frozenset(leaked))


def score_split(
    category: Category,
    inspect: Callable[[bytes], J],
    *,
    anomaly_map: AnomalyMap[J] = lambda _judgement, _shape: None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> SplitScores:
    """Score a category's test photos, whatever labels they have; arguments as `evaluate` has."""
    scored: list[ScoredImage] = []
    unreadable: list[Unreadable] = []
    pixels = Pixels(category)
    seconds = 0.0
    for done, image in enumerate(category.test, start=1):
        start = time.perf_counter()
        try:
            judgement = inspect(image.path.read_bytes())
        except (ImageError, OSError) as exc:
            unreadable.append(Unreadable(image.path, _reason(exc)))
        else:
            seconds += time.perf_counter() - start
            scored.append(ScoredImage(image, judgement.score))
            size = judgement.width, judgement.height
            pixels.add(image, partial(anomaly_map, judgement), size)
        progress(done, len(category.test))
    return SplitScores(tuple(scored), tuple(unreadable), seconds, pixels)


def _reason(exc: ImageError | OSError) -> str:
    if isinstance(exc, TooManyPixels):
        return f"{exc}; --max-pixels takes another"
    return exc.strerror or "it cannot be read" if isinstance(exc, OSError) else str(exc)


def summarise(
    scored: Sequence[ScoredImage],
    manifest: Manifest,
    *,
    engine: str | None = None,
    n_unreadable: int,
    seconds: float,
    pixels: Pixels | None = None,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Scores -> the evaluation object.

    Args:
        notes: of the data set; they follow the remarks on the figures and the masks.

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
    said = remarks(good, defective, threshold, manifest.threshold.alpha)
    return Evaluation(
        remarks=(*said, *(pixels.remarks() if pixels else ()), *notes),
        category=manifest.category,
        bank_version=manifest.bank_version,
        preset=manifest.preset,
        engine=engine,
        evaluated_at=datetime.now(UTC),
        n_good=len(good),
        n_defective=len(defective),
        n_unreadable=n_unreadable,
        auroc=metrics.auroc(good, defective),
        auroc_ci95=metrics.auroc_interval(good, defective),
        average_precision=metrics.average_precision(good, defective),
        f1_max=metrics.f1_max(good, defective),
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
        pixel_auroc=pixels.auroc() if pixels else None,
        aupro=pixels.aupro() if pixels else None,
        n_unusable_masks=pixels.unusable if pixels else 0,
        n_small_marks=pixels.small_marks if pixels else 0,
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

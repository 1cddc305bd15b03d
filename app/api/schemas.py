"""What the service answers, with the examples that /docs shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from ..core.evaluating.evaluation import Evaluation
from ..service.evaluations import State
from .explanation_schemas import ExplanationInfo, RegionBox
from .problems import Problem

CategoryName = Annotated[str, Path(max_length=64, examples=["elpv_mono"])]

_SCORE_EXAMPLE: JsonDict = {
    "id": "019d3b1c-7f2a-7c41-9a55-3f0e8d2b6a10",
    "category": "drink_can",
    "verdict": "anomalous",
    "is_anomalous": True,
    "score": 7.81,
    "threshold": 6.02,
    "p_value": 0.004,
    "alpha": 0.01,
    "bank_version": "20261122T101500Z-3fa9c1",
    "preset": "patch",
    "image": {"width": 3000, "height": 3000, "format": "JPEG"},
    "timings_ms": {
        "receive": 0.4,
        "decode": 21.0,
        "wait": 0.2,
        "embed": 9.8,
        "search": 4.1,
        "map": 0.9,
        "total": 37.0,
    },
    "heatmap_png": None,
    "regions": [
        {
            "box": {"left": 1180, "top": 402, "right": 1540, "bottom": 790},
            "peak": 7.81,
            "area": 97310,
        }
    ],
    "explanation": None,
    "request_id": "4f9c2d51c0a84a6e",
}


class ImageInfo(BaseModel):
    """The photo as it was sent, upright."""

    width: int
    height: int
    format: str


class TimingsMs(BaseModel):
    """Where the time went, in milliseconds. What the stages leave of the total is HTTP and JSON,
    and where several categories were asked, the others' share. Of photos that a GPU took together,
    each has its part of the pass."""

    receive: float = Field(description="the request's bytes arriving")
    decode: float = Field(description="bytes to network input")
    wait: float = Field(description="in queues, for a thread to decode and for the network")
    embed: float = Field(description="the network")
    search: float = Field(description="the method's scores of the cells, and the photo's")
    map: float = Field(description="regions, overlay and explanation, where there are any")
    total: float = Field(description="from the request's start until the answer")


class RegionInfo(BaseModel):
    """A connected place of the photo that exceeds the threshold."""

    box: RegionBox
    peak: float = Field(description="the highest score inside")
    area: int = Field(description="pixels of the photo")


class Score(BaseModel):
    """The verdict on one photo."""

    model_config = ConfigDict(json_schema_extra={"example": _SCORE_EXAMPLE})

    id: UUID | None = Field(
        default=None,
        description="under which the verdict is recorded: `GET /verdicts/{id}`; null where it is "
        "not recorded",
    )
    category: str
    verdict: Literal["normal", "anomalous"]
    is_anomalous: bool
    score: float = Field(description="larger = more anomalous; in the method's own unit")
    threshold: float = Field(description="scores strictly above it are anomalous")
    p_value: float = Field(description="share of good photos at least as anomalous, conformal")
    alpha: float = Field(description="the false-alarm rate that the threshold promises")
    bank_version: str
    preset: str
    image: ImageInfo
    timings_ms: TimingsMs
    heatmap_png: str | None = Field(
        description="base64 PNG where `heatmap=true` and the method has patches; else null"
    )
    camera: str | None = Field(default=None, description="whose photo it is, where one was named")
    regions: list[RegionInfo] = Field(
        description="where the anomaly map exceeds the threshold, highest peak first; empty for "
        "normal photos and for methods without patches"
    )
    explanation: ExplanationInfo | None = Field(
        default=None, description="where `explain=true`; else null"
    )
    request_id: str


class BatchItem(BaseModel):
    """One file of a batch: a result or a problem."""

    filename: str | None
    verdict: Literal["normal", "anomalous", "unusable"]
    result: Score | None = None
    problem: Problem | None = None


class Batch(BaseModel):
    """One item per file, in the order in which they were sent."""

    category: str
    camera: str | None = None
    results: list[BatchItem]
    request_id: str


class CategoryItem(BaseModel):
    """One category's answer on a photo asked of several, or on a place that a camera shows: a
    result or a problem."""

    category: str
    place: str | None = Field(default=None, description="its name in the camera's file")
    verdict: Literal["normal", "anomalous", "unusable"]
    result: Score | None = None
    problem: Problem | None = None


class Categories(BaseModel):
    """One item per category, in the order in which they were asked; or one per place of the
    camera, in the order of its file."""

    camera: str | None = None

    results: list[CategoryItem]
    request_id: str


class CategoryInfo(BaseModel):
    """One category: whether it serves, and what it serves with."""

    category: str
    state: Literal["ready", "unavailable"]
    reason: str | None = Field(default=None, description="why it is unavailable")
    bank_version: str | None = None
    preset: str | None = None
    created_at: datetime | None = None
    backbone: str | None = None
    engine: str | None = Field(default=None, description="runtime and precision that serve it")
    input_size: int | None = None
    white_level: int | None = Field(
        default=None,
        description="the value of a 16-bit photo that is white: 4,095 where a camera of 12 bits "
        "took the training photos; photos of 8 bits do not depend on it",
    )
    method: str | None = Field(default=None, description="what learnt from the good photos")
    facts: dict[str, int | float] | None = Field(
        default=None, description="numbers that tell what the method has learnt"
    )
    vectors: int | None = None
    dimensions: int | None = None
    training_images: int | None = None
    calibration_scores: int | None = None
    threshold: float | None = None
    alpha: float | None = None
    last_evaluation: Evaluation | None = None


class CategoryList(BaseModel):
    """All categories, by name."""

    categories: list[CategoryInfo]


class EvaluationProgress(BaseModel):
    """Images scored so far, of all."""

    done: int
    total: int


class EvaluationStatus(BaseModel):
    """Where a category's evaluation stands. `result` is the latest for the serving bank version."""

    category: str
    bank_version: str
    state: State
    progress: EvaluationProgress
    error: str | None = None
    result: Evaluation | None = None


class EvaluationList(BaseModel):
    """Of all categories that serve, by name."""

    evaluations: list[EvaluationStatus]


class ReloadedCategory(BaseModel):
    """What became of one category."""

    category: str
    outcome: Literal["loaded", "unchanged", "failed", "removed"]
    bank_version: str | None = Field(description="the version that serves now; null: none")
    reason: str | None = Field(default=None, description="why it failed")


class ReloadReport(BaseModel):
    """One item per category."""

    results: list[ReloadedCategory]


class VersionInfo(BaseModel):
    """One stored version. What its manifest says is null where that cannot be read."""

    bank_version: str
    is_serving: bool
    is_current: bool = Field(description="whether it is the one to serve after a restart")
    created_at: datetime | None = None
    preset: str | None = None
    threshold: float | None = None
    alpha: float | None = None
    vectors: int | None = None
    reason: str | None = Field(default=None, description="why its manifest cannot be read")


class VersionList(BaseModel):
    """A category's stored versions, newest first."""

    category: str
    versions: list[VersionInfo]


class RecordsState(BaseModel):
    """Whether verdicts are recorded. Photos are judged all the same."""

    status: Literal["on", "off", "unavailable"]
    reason: str | None = Field(default=None, description="why they are not")
    waiting: int = Field(default=0, description="verdicts that are about to be written")
    written: int = Field(default=0, description="since the start, as all below")
    photos: int = Field(default=0, description="photos kept")
    lost: dict[str, int] = Field(default={}, description="verdicts not recorded, by reason")
    photos_lost: dict[str, int] = Field(
        default={}, description="photos that should have been kept, by reason"
    )


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether photos can be scored, and each category's state."""

    status: Literal["ready", "not ready"]
    device: str
    categories: dict[str, str] = Field(description="`ready`, or the reason why not")
    reloads: dict[str, str] = Field(
        description="categories whose newest version could not be taken up, and why; what served "
        "before still does"
    )
    records: RecordsState
    reason: str | None = Field(default=None, description="why the service as a whole is not ready")

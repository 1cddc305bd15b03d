"""What is answered of the records, and the one thing that is sent to them as JSON: a review."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from ..records.ids import uuid7
from ..records.verdicts import (
    MAX_BOXES,
    MAX_NAME,
    MAX_NOTE,
    Decision,
    DrawnBox,
    Review,
    Verdict,
    VerdictName,
)
from .explanation_schemas import RegionBox
from .schemas import RegionInfo

VerdictId = Annotated[UUID, Path(description="the `id` of a score's answer")]


def _plus(value: Any) -> Any:
    """`+00:00` in an address is ` 00:00` where nobody wrote it as `%2B`."""
    return value.replace(" ", "+") if isinstance(value, str) and "T" in value else value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("there is no such time in UTC") from exc


Moment = Annotated[AwareDatetime, BeforeValidator(_plus), AfterValidator(_utc)]


class BoxInfo(BaseModel):
    """A rectangle that a person drew: pixels of the upright photo, right and bottom exclusive."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    left: float = Field(ge=0)
    top: float = Field(ge=0)
    right: float = Field(ge=0)
    bottom: float = Field(ge=0)


class ReviewRequest(BaseModel):
    """What a person says of a verdict."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "decision": "defective",
                "defect": "dent",
                "boxes": [{"left": 1180, "top": 402, "right": 1540, "bottom": 790}],
                "note": "the lower edge",
            }
        },
    )

    decision: Decision
    defect: str | None = Field(
        default=None, max_length=MAX_NAME, description="the defect's type; see `GET /defect-types`"
    )
    boxes: list[BoxInfo] = Field(default=[], max_length=MAX_BOXES, description="where it is")
    note: str | None = Field(default=None, max_length=MAX_NOTE)
    id: UUID | None = Field(
        default=None,
        description="made by the client, so that a review that is sent again is stored once",
    )

    def of(self, verdict_id: UUID, who: str) -> Review:
        """The review to store.

        Raises:
            InvalidReview: a value that cannot be.
        """
        return Review(
            verdict_id=verdict_id,
            who=who,
            decision=self.decision,
            defect=self.defect,
            boxes=[DrawnBox(box.left, box.top, box.right, box.bottom) for box in self.boxes],
            note=self.note,
            id=self.id or uuid7(),
        )


class ReviewInfo(BaseModel):
    """A stored review. It never changes: a second thought is another review."""

    id: UUID
    verdict_id: UUID
    at: datetime
    who: str = Field(description="the name of the API key; `anyone` where there are no keys")
    decision: Decision | None = Field(
        description="null: what was said before is taken back, nobody has reviewed the verdict"
    )
    defect: str | None = None
    boxes: list[BoxInfo] = []
    note: str | None = None

    @classmethod
    def of(cls, review: Review) -> ReviewInfo:
        boxes = [
            BoxInfo(left=box.left, top=box.top, right=box.right, bottom=box.bottom)
            for box in review.boxes
        ]
        return cls(
            id=review.id,
            verdict_id=review.verdict_id,
            at=review.at,
            who=review.who,
            decision=review.decision,
            defect=review.defect,
            boxes=boxes,
            note=review.note,
        )


class VerdictInfo(BaseModel):
    """A recorded verdict with its latest review."""

    id: UUID
    time: datetime
    category: str
    camera: str | None
    place: str | None = Field(description="of the camera's places; null: not one of them was asked")
    verdict: VerdictName
    score: float | None = Field(description="null, as all that follows from it, where unusable")
    threshold: float | None
    p_value: float | None
    alpha: float | None
    bank_version: str
    engine: str
    width: int | None = Field(description="of the upright photo; null where it was not decoded")
    height: int | None
    regions: list[RegionInfo]
    timings_ms: dict[str, float]
    sha256: str = Field(description="of the photo's bytes")
    photo_bytes: int
    photo_kept: bool
    request_id: str | None
    key_name: str | None = Field(description="of the API key that asked")
    review: ReviewInfo | None = Field(
        description="the latest; null where nobody has reviewed it, or that is taken back"
    )

    @classmethod
    def of(cls, verdict: Verdict) -> VerdictInfo:
        names = set(cls.model_fields) - {"regions", "review", "timings_ms"}
        return cls(
            **{name: getattr(verdict, name) for name in names},
            regions=[_region(dict(region)) for region in verdict.regions],
            timings_ms=dict(verdict.timings_ms),
            review=ReviewInfo.of(verdict.review) if verdict.review else None,
        )


def _region(stored: dict[str, Any]) -> RegionInfo:
    box = RegionBox(**{side: stored[side] for side in ("left", "top", "right", "bottom")})
    return RegionInfo(box=box, peak=stored["peak"], area=stored["area"])


class VerdictPage(BaseModel):
    """Verdicts, newest first."""

    items: list[VerdictInfo]
    next: str | None = Field(description="`cursor` of the page after this one; null: the last")


class ReviewList(BaseModel):
    """All reviews of a verdict, the latest last."""

    items: list[ReviewInfo]


class DefectTypeInfo(BaseModel):
    """A defect's type as people named it."""

    name: str
    number: int = Field(description="of the reviews that name it")


class DefectTypeList(BaseModel):
    """The most frequent ones first."""

    items: list[DefectTypeInfo]


class DeletedInfo(BaseModel):
    """How much was deleted."""

    verdicts: int
    reviews: int
    photos: int
    photo_bytes: int

"""What is recorded: a verdict before and after it is written, and what people said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from uuid import UUID

from .errors import InvalidReview
from .ids import uuid7

VerdictName = Literal["normal", "anomalous", "unusable"]
Decision = Literal["good", "defective", "unsure"]

# Long enough for what people write, short enough that nobody fills the disk by one request.
MAX_NAME, MAX_NOTE, MAX_BOXES = 200, 10_000, 200


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What was answered for one photo and category.

    Attributes:
        score, threshold, p_value, alpha: None of a photo that cannot be judged.
        width, height: of the photo as sent, upright; None where it could not be decoded.
        regions: where the map exceeds the threshold, as JSON has them: left, top, right, bottom,
            peak, area; pixels of the photo.
        timings_ms: by stage.
        place: of those that the camera shows, which one was judged; None: all that it shows.
        key_name: of the API key that asked.
        time: with its zone; stored in UTC, to the microsecond.
    """

    category: str
    verdict: VerdictName
    bank_version: str
    engine: str
    camera: str | None = None
    place: str | None = None
    score: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    alpha: float | None = None
    width: int | None = None
    height: int | None = None
    regions: Sequence[Mapping[str, Any]] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    request_id: str | None = None
    key_name: str | None = None
    id: UUID = field(default_factory=uuid7)
    time: datetime = field(default_factory=now)


@dataclass(frozen=True, kw_only=True)
class Draft(Said):
    """A verdict to write. Its id may be answered at once: it is stored under that one.

    Attributes:
        photo: the bytes as sent; their sha256 and size are worked out off the answer's path.
    """

    photo: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("a verdict's time must have its zone")


@dataclass(frozen=True)
class DrawnBox:
    """A rectangle that a person drew: pixels of the upright photo, right and bottom exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        sides = (self.left, self.top, self.right, self.bottom)
        if not all(math.isfinite(side) and side >= 0 for side in sides):
            raise InvalidReview("a box's sides must be numbers of pixels from 0 on")
        if self.left >= self.right or self.top >= self.bottom:
            raise InvalidReview("a box must have its left before its right and top before bottom")


@dataclass(frozen=True, kw_only=True)
class Review:
    """What a person said of a verdict.

    Attributes:
        who: the person's name, or that of their API key.
        decision: None: what was said before is taken back, and nothing said instead. The verdict
            counts as one that nobody has reviewed.
        defect: the defect's type in their words.
        boxes: where it is.
        id: a client that is not sure whether a review arrived sends it again under the same id.

    Raises:
        InvalidReview: a value that cannot be; the text says which.
    """

    verdict_id: UUID
    who: str
    decision: Decision | None
    defect: str | None = None
    boxes: Sequence[DrawnBox] = ()
    note: str | None = None
    id: UUID = field(default_factory=uuid7)
    at: datetime = field(default_factory=now)

    def __post_init__(self) -> None:
        if self.decision not in (None, *get_args(Decision)):
            raise InvalidReview(f"the decision must be one of {', '.join(get_args(Decision))}")
        _check_text("the reviewer's name", self.who, MAX_NAME)
        _check_text("the defect type", self.defect, MAX_NAME)
        _check_text("the note", self.note, MAX_NOTE)
        if not self.who.strip():
            raise InvalidReview("a review needs its reviewer's name")
        if len(self.boxes) > MAX_BOXES:
            raise InvalidReview(f"a review holds {MAX_BOXES} boxes at most")
        if self.at.tzinfo is None:
            raise InvalidReview("the review's time must have its zone")


@dataclass(frozen=True, kw_only=True)
class Verdict(Said):
    """A stored verdict.

    Attributes:
        sha256: of the photo's bytes, 64 hexadecimal digits.
        photo_bytes: how many there are.
        photo_kept: whether the photo lies in `Records.photos` now.
        review: the latest one, None where that one takes back what was said; `reviews.history` has
            them all.
    """

    sha256: str
    photo_bytes: int
    photo_kept: bool = False
    review: Review | None = None

    @property
    def decision(self) -> Decision | None:
        """What the latest review says; None: nobody has reviewed it."""
        return self.review.decision if self.review else None


def _check_text(what: str, text: str | None, limit: int) -> None:
    if text is None:
        return
    if len(text) > limit:
        raise InvalidReview(f"{what} must have {limit:,} characters at most, it has {len(text):,}")
    # PostgreSQL stores no NUL, and half of a pair (from a JSON escape) is no character.
    if "\0" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise InvalidReview(f"{what} holds a character that cannot be stored")

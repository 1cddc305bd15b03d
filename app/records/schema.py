"""The tables. Who changes them adds a migration; a test compares both."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    JSON,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    literal_column,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .columns import Number, Sha256, Time


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Double, str: Text, datetime: Time}


class VerdictRow(Base):
    """A verdict. `number` counts up in the order of writing, and makes equal times an order."""

    __tablename__ = "verdicts"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    time: Mapped[datetime]
    category: Mapped[str]
    camera: Mapped[str | None]
    place: Mapped[str | None]
    verdict: Mapped[str]
    # What the latest review says; None: nobody has reviewed it, or that is taken back.
    decision: Mapped[str | None]
    # How much it asks for a review: `keeping.urgency`.
    urgency: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    bank_version: Mapped[str]
    engine: Mapped[str]
    score: Mapped[float | None]
    threshold: Mapped[float | None]
    p_value: Mapped[float | None]
    alpha: Mapped[float | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    sha256: Mapped[str] = mapped_column(Sha256)
    photo_bytes: Mapped[int]
    request_id: Mapped[str | None]
    key_name: Mapped[str | None]
    regions: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    timings_ms: Mapped[dict[str, float]] = mapped_column(JSON)

    # Each begins with what a filter may ask for, then the order of pages. What other filters ask
    # for stands behind: whoever walks an index in vain to its end reads no table.
    __table_args__ = (
        Index(
            "verdicts_by_time",
            "time", "number", "category", "camera", "verdict", "decision", "score",
        ),
        Index(
            "verdicts_by_category",
            "category", "time", "number", "camera", "verdict", "decision", "score", "bank_version",
        ),
        Index(
            "verdicts_by_camera",
            "camera", "time", "number", "category", "verdict", "decision", "score",
        ),
        Index("verdicts_by_score", "score"),
        Index("verdicts_by_photo", "sha256"),
    )  # fmt: skip


def _some(name: str, condition: ColumnElement[bool], *columns: str) -> None:
    """An index of some rows only."""
    Index(
        name,
        *(VerdictRow.__table__.c[column] for column in columns),
        sqlite_where=condition,
        postgresql_where=condition,
    )


# Nearly all are normal: an index of those would only lead the database astray.
_NOT_NORMAL = VerdictRow.verdict != literal_column("'normal'")
_some(
    "verdicts_by_verdict", _NOT_NORMAL,
    "verdict", "time", "number", "category", "camera", "decision", "score",
)  # fmt: skip
# What people have reviewed; all that nobody has would make it ten times as large.
_REVIEWED = VerdictRow.decision.is_not(None)
_some(
    "verdicts_by_decision", _REVIEWED,
    "decision", "time", "number", "category", "camera", "verdict", "score",
)  # fmt: skip
_some(
    "verdicts_reviewed", _REVIEWED,
    "time", "number", "category", "camera", "verdict", "decision", "score",
)  # fmt: skip
# The review queue's order, and that of one category.
_OPEN = VerdictRow.decision.is_(None)
_some("verdicts_queue", _OPEN, "urgency", "time", "number")
_some("verdicts_queue_by_category", _OPEN, "category", "urgency", "time", "number")


class ReviewRow(Base):
    """What a person said. `number` is the order of arrival: a verdict's largest counts."""

    __tablename__ = "reviews"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    verdict_number: Mapped[int] = mapped_column(
        Number, ForeignKey("verdicts.number", ondelete="CASCADE"), index=True
    )
    who: Mapped[str]
    at: Mapped[datetime]
    # Or that nothing is said any more: see `rows`.
    decision: Mapped[str]
    defect: Mapped[str | None]
    # The defect's type as it is compared: small letters of all scripts, single spaces.
    defect_key: Mapped[str | None] = mapped_column(Text, index=True)
    boxes: Mapped[list[list[float]]] = mapped_column(JSON)
    note: Mapped[str | None]


class ThumbnailRow(Base):
    """A small WebP of a photo; it stays while a verdict of the photo does."""

    __tablename__ = "thumbnails"

    sha256: Mapped[str] = mapped_column(Sha256, primary_key=True)
    webp: Mapped[bytes] = mapped_column(LargeBinary)


class PhotoRow(Base):
    """A photo that is kept as a file.

    Attributes:
        seen_at: the time of its newest verdict. reviewed: whether any of its verdicts is.
    """

    __tablename__ = "photos"

    sha256: Mapped[str] = mapped_column(Sha256, primary_key=True)
    bytes: Mapped[int]
    seen_at: Mapped[datetime]
    reviewed: Mapped[bool] = mapped_column(server_default="0")

    # The order in which photos go, and all that the sum of their bytes needs.
    __table_args__ = (Index("photos_by_turn", "reviewed", "seen_at", "bytes"),)


class LeaseRow(Base):
    """Who has a photo before them, and until when nobody else gets it."""

    __tablename__ = "leases"

    sha256: Mapped[str] = mapped_column(Sha256, primary_key=True)
    who: Mapped[str]
    until: Mapped[datetime]
    verdict_number: Mapped[int] = mapped_column(
        Number, ForeignKey("verdicts.number", ondelete="CASCADE"), index=True
    )


class EventRow(Base):
    """Something that happened at a camera. `number` is the order in which events are told."""

    __tablename__ = "events"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    time: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    camera: Mapped[str]
    category: Mapped[str | None]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    overlay: Mapped[bytes | None] = mapped_column(LargeBinary)


class DeliveryRow(Base):
    """An event that a target is to be told of. `number` is the target's order.

    Attributes:
        attempts: how many have failed. tried_at: when the last of them did; due_at: when the next
            one may be made; reason: why it failed, or why it was dropped.
        done_at: when it was delivered or dropped; None: it waits.
    """

    __tablename__ = "deliveries"

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    event_number: Mapped[int] = mapped_column(
        Number, ForeignKey("events.number", ondelete="CASCADE"), index=True
    )
    target: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0")
    tried_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    done_at: Mapped[datetime | None]


_WAITING = DeliveryRow.done_at.is_(None)
Index(
    "deliveries_waiting",
    DeliveryRow.__table__.c.target,
    DeliveryRow.__table__.c.number,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)


class TargetRow(Base):
    """What became of a target's deliveries so far, and whether it wants no more.

    Attributes:
        disabled_at: since when; None: it is not. address: of which address that was said.
    """

    __tablename__ = "targets"

    name: Mapped[str] = mapped_column(primary_key=True)
    delivered: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    dropped: Mapped[int] = mapped_column(server_default="0")
    disabled_at: Mapped[datetime | None]
    address: Mapped[str | None]
    reason: Mapped[str | None]


class AlarmStateRow(Base):
    """What the bridge remembers of a camera and category; of the camera itself: category ""."""

    __tablename__ = "alarm_states"

    camera: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)


class CameraStateRow(Base):
    """How a camera's source is, for the service's page Health."""

    __tablename__ = "camera_states"

    camera: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    since: Mapped[datetime]
    seen_at: Mapped[datetime]
    last_frame_at: Mapped[datetime | None]
    last_judged_at: Mapped[datetime | None]
    reason: Mapped[str | None]

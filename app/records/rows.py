"""Dataclasses <-> rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from .schema import PhotoRow, ReviewRow, VerdictRow
from .verdicts import Draft, DrawnBox, Review, Verdict

# Stands in a review's row for no decision.
_TAKEN_BACK = "taken back"
# What a verdict has by the same name in its row.
_SHARED = (
    "id", "time", "category", "camera", "place", "verdict", "bank_version", "engine", "score",
    "threshold", "p_value", "alpha", "width", "height", "request_id", "key_name", "sha256",
    "photo_bytes",
)  # fmt: skip


def verdict_row(draft: Draft, sha256: str, urgency: int) -> dict[str, Any]:
    """A row to insert."""
    shared = {name: _plain(getattr(draft, name)) for name in _SHARED if hasattr(draft, name)}
    return shared | {
        "sha256": sha256,
        "photo_bytes": len(draft.photo),
        "urgency": urgency,
        "regions": [
            {key: _plain(value) for key, value in region.items()} for region in draft.regions
        ],
        "timings_ms": {key: _plain(value) for key, value in draft.timings_ms.items()},
    }


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's: a database would store their bytes."""
    return value.item() if hasattr(value, "item") else value


def selected() -> Select[Any]:
    """Verdicts as `verdicts` takes them."""
    kept = PhotoRow.sha256.is_not(None).label("photo_kept")
    photo = PhotoRow.sha256 == VerdictRow.sha256
    return select(VerdictRow.__table__, kept).outerjoin(PhotoRow, photo)


def verdicts(connection: Connection, query: Select[Any]) -> list[Verdict]:
    """The verdicts of a query on `selected`, each with its latest review."""
    return [verdict for _, verdict in numbered(connection, query)]


def numbered(connection: Connection, query: Select[Any]) -> list[tuple[int, Verdict]]:
    """The same, each behind its number."""
    rows = connection.execute(query).all()
    reviews = _latest(connection, [row for row in rows if row.decision is not None])
    return [(row.number, _verdict(row, reviews.get(row.number))) for row in rows]


def _verdict(row: Row[Any], review: Review | None) -> Verdict:
    return Verdict(
        **{name: getattr(row, name) for name in _SHARED},
        regions=row.regions,
        timings_ms=row.timings_ms,
        photo_kept=row.photo_kept,
        review=review,
    )


def _latest(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, Review]:
    if not rows:
        return {}
    numbers = [row.number for row in rows]
    found = connection.execute(
        select(ReviewRow.__table__, VerdictRow.id.label("verdict_id"))
        .join(VerdictRow, VerdictRow.number == ReviewRow.verdict_number)
        .where(ReviewRow.verdict_number.in_(numbers))
        .order_by(ReviewRow.number)
    )
    return {row.verdict_number: review_of(row) for row in found}  # a later one replaces


def review_row(review: Review, verdict_number: int) -> dict[str, Any]:
    """A row to insert."""
    defect = " ".join(review.defect.split()) if review.defect else None
    return {
        "id": review.id,
        "verdict_number": verdict_number,
        "who": review.who.strip(),
        "at": review.at,
        "decision": review.decision or _TAKEN_BACK,
        "defect": defect or None,
        "defect_key": defect.casefold() if defect else None,
        "boxes": [[box.left, box.top, box.right, box.bottom] for box in review.boxes],
        "note": review.note,
    }


def review_of(row: Row[Any]) -> Review:
    """Of a row that has its verdict's id beside it."""
    return Review(
        verdict_id=row.verdict_id,
        who=row.who,
        decision=None if row.decision == _TAKEN_BACK else row.decision,
        defect=row.defect,
        boxes=tuple(DrawnBox(*sides) for sides in row.boxes),
        note=row.note,
        id=row.id,
        at=row.at,
    )

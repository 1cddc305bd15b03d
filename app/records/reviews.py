"""What people say of verdicts: appended, never changed; a verdict's latest review counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from . import rows
from .errors import InvalidReview, NotTheLatest, ReviewConflict, UnknownVerdict
from .opening import Records
from .schema import LeaseRow, PhotoRow, ReviewRow, VerdictRow
from .transactions import reading, writing
from .verdicts import Review


@dataclass(frozen=True)
class DefectType:
    """A defect's type as people named it, in its latest spelling, and in how many reviews."""

    name: str
    number: int


def append(records: Records, review: Review, *, after: UUID | None = None) -> Review:
    """Store a review. The same one again, under the same id, is stored once.

    One without a decision makes its verdict one that nobody has reviewed; what was said before
    stays in the history.

    Args:
        after: the review that must be the verdict's latest; None: whichever is.

    Returns:
        the review as it is stored.

    Raises:
        UnknownVerdict: it is about a verdict that is not stored.
        NotTheLatest: somebody has said more since `after`.
        ReviewConflict: another review was stored under its id.
        InvalidReview: a box lies outside of the photo.
    """
    with writing(records.engine) as connection:
        if (stored := _stored(connection, review.id)) is not None:
            return _same(stored, review)
        number, sha256 = _reviewed(connection, review)
        if after is not None:
            _check_latest(connection, number, after)
        connection.execute(insert(ReviewRow), rows.review_row(review, number))
        connection.execute(
            update(VerdictRow).where(VerdictRow.number == number).values(decision=review.decision)
        )
        photo = PhotoRow.sha256 == sha256
        reviewed = True if review.decision else _has_reviewed(connection, sha256)
        connection.execute(update(PhotoRow).where(photo).values(reviewed=reviewed))
        lease = LeaseRow.verdict_number == number
        connection.execute(delete(LeaseRow).where(lease))
        found = _stored(connection, review.id)
    assert found is not None
    return found


def history(records: Records, verdict_id: UUID) -> list[Review]:
    """All reviews of a verdict, the latest last.

    Raises:
        UnknownVerdict: none of that id is stored.
    """
    with reading(records.engine) as connection:
        number = connection.scalar(select(VerdictRow.number).where(VerdictRow.id == verdict_id))
        if number is None:
            raise UnknownVerdict(f"no verdict {verdict_id} is stored")
        query = _selected().where(ReviewRow.verdict_number == number).order_by(ReviewRow.number)
        return [rows.review_of(row) for row in connection.execute(query)]


def defect_types(records: Records, prefix: str = "", limit: int = 20) -> list[DefectType]:
    """The defect types that begin so, whatever the case of their letters; most frequent first."""
    key = " ".join(prefix.split()).casefold()
    number = func.count().label("number")
    groups = (
        select(func.max(ReviewRow.number).label("latest"), number)
        .where(ReviewRow.defect_key.startswith(key, autoescape=True))
        .group_by(ReviewRow.defect_key)
        .order_by(number.desc(), ReviewRow.defect_key)
        .limit(limit)
        .subquery()
    )
    query = (
        select(ReviewRow.defect, groups.c.number)
        .join(groups, groups.c.latest == ReviewRow.number)
        .order_by(groups.c.number.desc(), ReviewRow.defect_key)
    )
    with reading(records.engine) as connection:
        return [DefectType(str(name), n) for name, n in connection.execute(query)]


def _check_latest(connection: Connection, number: int, identity: UUID) -> None:
    """In the transaction that writes: nobody can say anything between."""
    said = select(ReviewRow.id).where(ReviewRow.verdict_number == number)
    latest = connection.scalar(said.order_by(ReviewRow.number.desc()).limit(1))
    if latest != identity:
        raise NotTheLatest("this review is not the latest one: what was said since counts")


def _reviewed(connection: Connection, review: Review) -> tuple[int, str]:
    """The number of the verdict, and its photo."""
    row = connection.execute(
        select(VerdictRow.number, VerdictRow.sha256, VerdictRow.width, VerdictRow.height).where(
            VerdictRow.id == review.verdict_id
        )
    ).one_or_none()
    if row is None:
        raise UnknownVerdict(f"no verdict {review.verdict_id} is stored")
    if row.width is not None and row.height is not None:
        for box in review.boxes:
            if box.right > row.width or box.bottom > row.height:
                raise InvalidReview(
                    f"a box reaches beyond the photo of {row.width}×{row.height} pixels"
                )
    return row.number, row.sha256


def _has_reviewed(connection: Connection, sha256: str) -> bool:
    """Whether any of the photo's verdicts is reviewed."""
    reviewed = VerdictRow.sha256 == sha256, VerdictRow.decision.is_not(None)
    return bool(connection.scalar(select(exists().where(*reviewed))))


def _stored(connection: Connection, identity: UUID) -> Review | None:
    row = connection.execute(_selected().where(ReviewRow.id == identity)).one_or_none()
    return None if row is None else rows.review_of(row)


def _selected() -> Any:
    return select(ReviewRow.__table__, VerdictRow.id.label("verdict_id")).join(
        VerdictRow, VerdictRow.number == ReviewRow.verdict_number
    )


def _same(stored: Review, sent: Review) -> Review:
    # As it would be stored; the time of sending it again is another one.
    ours, theirs = (rows.review_row(review, 0) | {"at": None} for review in (stored, sent))
    if ours != theirs or stored.verdict_id != sent.verdict_id:
        raise ReviewConflict(f"another review is stored under the id {sent.id}: take a new one")
    return stored

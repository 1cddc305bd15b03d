"""What has to go: by days and by bytes, the oldest first, photos that people reviewed last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select

from .deleting import CHUNK, Deleted, delete_photos, delete_span
from .opening import Records
from .schema import PhotoRow
from .transactions import writing
from .verdicts import now


@dataclass(frozen=True)
class Limits:
    """How long records are kept; None: without end.

    Attributes:
        photo_days: photos that nobody has reviewed. reviewed_days: those that somebody has.
        photo_bytes: of all photos together.
        verdict_days: verdicts, with all that hangs on them.
    """

    photo_days: float | None = None
    reviewed_days: float | None = None
    photo_bytes: int | None = None
    verdict_days: float | None = None


def retain(records: Records, limits: Limits, at: datetime | None = None) -> Deleted:
    """Delete what has to go. Several processes may do so at once.

    Args:
        at: from when on the days count back; default: now.

    Raises:
        RecordsUnavailable: the database cannot be written; a part may be gone.
    """
    at = at or now()
    deleted = Deleted()
    if limits.verdict_days is not None:
        deleted += delete_span(records, None, at - timedelta(days=limits.verdict_days))
    for reviewed, days in ((False, limits.photo_days), (True, limits.reviewed_days)):
        if days is not None:
            deleted += _by_days(records, reviewed, at - timedelta(days=days))
    if limits.photo_bytes is not None:
        deleted += _by_bytes(records, limits.photo_bytes)
    return deleted


def _by_days(records: Records, reviewed: bool, until: datetime) -> Deleted:
    old = _in_turn().where(PhotoRow.reviewed.is_(reviewed), PhotoRow.seen_at < until)
    deleted = Deleted()
    while True:
        with writing(records.engine) as connection:
            photos = [row.sha256 for row in connection.execute(old)]
            deleted += delete_photos(records, connection, photos)
        if len(photos) < CHUNK:
            return deleted


def _by_bytes(records: Records, limit: int) -> Deleted:
    deleted = Deleted()
    while True:
        with writing(records.engine) as connection:
            total = connection.scalar(select(func.sum(PhotoRow.bytes))) or 0
            going = []
            for row in connection.execute(_in_turn()):
                if total <= limit:
                    break
                total -= row.bytes
                going.append(row.sha256)
            deleted += delete_photos(records, connection, going)
        if len(going) < CHUNK:
            return deleted


def _in_turn() -> Select[str, int]:
    return (
        select(PhotoRow.sha256, PhotoRow.bytes)
        .order_by(PhotoRow.reviewed, PhotoRow.seen_at, PhotoRow.sha256)
        .limit(CHUNK)
    )

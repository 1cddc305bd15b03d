"""Delete verdicts, with all that hangs on them, and photos."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, delete, func, select, update

from .errors import RecordsUnavailable
from .filters import Filter
from .opening import Records
from .schema import EventRow, PhotoRow, ReviewRow, ThumbnailRow
from .schema import VerdictRow as V
from .transactions import writing

log = structlog.get_logger()

# Rows of one transaction: others write in between.
CHUNK = 500
# SQLite lets in whoever asks next, not whoever has waited longest: who writes meanwhile needs a
# moment in which nobody has the lock.
PAUSE_S = 0.025
_NEVER = threading.Event()


@dataclass(frozen=True)
class Deleted:
    """How much was deleted."""

    verdicts: int = 0
    reviews: int = 0
    photos: int = 0
    photo_bytes: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        return Deleted(
            self.verdicts + other.verdicts,
            self.reviews + other.reviews,
            self.photos + other.photos,
            self.photo_bytes + other.photo_bytes,
        )


def delete_span(
    records: Records,
    since: datetime | None,
    until: datetime,
    category: str | None = None,
    *,
    stops: threading.Event | None = None,
) -> Deleted:
    """Delete the verdicts of a time span, their reviews, thumbnails and photos.

    A photo and its thumbnail go with the last verdict of it; events lose their pictures. Some at a
    time: who looks meanwhile sees a part of them gone.

    Args:
        since: inclusive; None: from the first on. until: exclusive.
        stops: set where it must not go on.

    Raises:
        RecordsUnavailable: the database cannot be written, or it must not go on; a part may be
            gone.
    """
    asked = Filter(since=since, until=until, category=category)
    query = select(V.number, V.sha256).where(*asked.clauses()).order_by(V.time).limit(CHUNK)
    deleted = Deleted()
    with writing(records.engine) as connection:
        _delete_overlays(connection, since, until, category)
    while True:
        with writing(records.engine) as connection:
            found = connection.execute(query).all()
            if found:
                numbers = [row.number for row in found]
                deleted += _delete(records, connection, numbers, {row.sha256 for row in found})
        if len(found) < CHUNK:
            return deleted
        if (stops or _NEVER).wait(PAUSE_S):
            raise RecordsUnavailable(
                f"the service stops: {deleted.verdicts:,} verdicts are deleted, the rest is there;"
                " ask again"
            )


def _delete_overlays(
    connection: Connection, since: datetime | None, until: datetime, category: str | None
) -> None:
    span = [EventRow.overlay.is_not(None), EventRow.time < until]
    if since is not None:
        span.append(EventRow.time >= since)
    if category is not None:
        span.append(EventRow.category == category)
    connection.execute(update(EventRow).where(*span).values(overlay=None))


def _delete(
    records: Records, connection: Connection, numbers: Sequence[int], photos: Collection[str]
) -> Deleted:
    reviewed = ReviewRow.verdict_number.in_(numbers)
    reviews = connection.scalar(select(func.count()).select_from(ReviewRow).where(reviewed)) or 0
    connection.execute(delete(V).where(V.number.in_(numbers)))  # reviews and leases go with it
    shared = set(connection.scalars(select(V.sha256).where(V.sha256.in_(photos))))
    gone = set(photos) - shared
    connection.execute(delete(ThumbnailRow).where(ThumbnailRow.sha256.in_(gone)))
    return Deleted(len(numbers), reviews) + delete_photos(records, connection, gone)


def delete_photos(records: Records, connection: Connection, photos: Collection[str]) -> Deleted:
    """Delete photos, within a transaction that writes; their verdicts and thumbnails stay."""
    found = connection.execute(
        delete(PhotoRow)
        .where(PhotoRow.sha256.in_(photos))
        .returning(PhotoRow.sha256, PhotoRow.bytes)
    ).all()
    for row in found:
        try:
            records.photos.remove(row.sha256)
        except OSError as exc:  # mending tries again
            log.warning("a photo's file cannot be deleted", photo=row.sha256, error=str(exc))
    return Deleted(photos=len(found), photo_bytes=sum(row.bytes for row in found))

"""Write some verdicts in one transaction, their photos' files before it.

A photo's file is there before its row is, so that no row tells of a photo that is not. Whoever
removes photos does so within a transaction, and one writes at a time: each file is looked at once
more within ours.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, case, exists, update
from sqlalchemy.dialects import postgresql, sqlite

from . import rows
from .keeping import REST, PhotoPolicy
from .losses import Losses
from .opening import Records
from .pace import Pace
from .schema import Base, PhotoRow, ThumbnailRow, VerdictRow
from .transactions import is_full, writing
from .verdicts import Draft

log = structlog.get_logger()

Draw = Callable[[bytes], bytes]


@dataclass
class Entry:
    """A draft, and what was worked out of it.

    Attributes:
        webp: the thumbnail; None where there is none. keeps: whether its photo is to be kept.
    """

    draft: Draft
    sha256: str
    urgency: int
    webp: bytes | None
    keeps: bool


def entries(
    drafts: Sequence[Draft], policy: PhotoPolicy, draw: Draw | None, rest: Pace | None = None
) -> list[Entry]:
    """Work out each photo's hash, its thumbnail (`draw`) and whether it is kept.

    Verdicts of several categories or places hold the same bytes: once is enough for those.

    Args:
        rest: how many are drawn of those that are neither kept nor ask for a review; None: all.
    """
    hashes: dict[int, str] = {}
    wanted: dict[int, Draft] = {}
    for draft in drafts:
        key = id(draft.photo)
        if key not in hashes:
            hashes[key] = hashlib.sha256(draft.photo).hexdigest()
        # Without a size it was not decoded: nobody knows what it would cost to try.
        if draw is not None and draft.width is not None and key not in wanted:
            asks = policy.urgency(draft) > REST or policy.keeps(draft, hashes[key])
            if asks or rest is None or rest.allows():
                wanted[key] = draft
    thumbnails = {key: _drawn(draft, draw) for key, draft in wanted.items() if draw is not None}
    return [
        Entry(
            draft,
            hashes[id(draft.photo)],
            policy.urgency(draft),
            thumbnails.get(id(draft.photo)),
            policy.keeps(draft, hashes[id(draft.photo)]),
        )
        for draft in drafts
    ]


def _drawn(draft: Draft, draw: Draw) -> bytes | None:
    try:
        return draw(draft.photo)
    except Exception as exc:
        log.warning("a photo has no thumbnail", verdict=str(draft.id), error=repr(exc))
        return None


def write(records: Records, batch: Sequence[Entry], losses: Losses, min_free: int) -> int:
    """Write them all, or none. An entry whose photo cannot be written is written without it.

    Args:
        losses: of photos. min_free: bytes of the photos' disk that no photo takes.

    Returns:
        how many photos are kept of them.

    Raises:
        RecordsUnavailable: the database cannot be written now.
        RecordRefused, ValueError, …: one of them is not of a kind that it takes.
    """
    for one in batch:
        if one.keeps:
            one.keeps = _write_photo(records, one, losses, min_free)
    with writing(records.engine) as connection:
        for one in batch:
            if one.keeps and not records.photos.holds(one.sha256, len(one.draft.photo)):
                one.keeps = _write_photo(records, one, losses, min_free)  # removed in between
        _insert(connection, batch)
    return sum(one.keeps for one in batch)


def _write_photo(records: Records, one: Entry, losses: Losses, min_free: int) -> bool:
    try:
        records.photos.folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(records.photos.folder).free < min_free + len(one.draft.photo):
            losses.lost("disk_full", f"less than {min_free:,} bytes of the disk are free")
            return False
        records.photos.write(one.sha256, one.draft.photo)
    except OSError as exc:
        losses.lost("disk_full" if is_full(exc) else "folder", exc.strerror or repr(exc))
        return False
    losses.recovered()
    return True


def _insert(connection: Connection, batch: Sequence[Entry]) -> None:
    verdicts = [rows.verdict_row(one.draft, one.sha256, one.urgency) for one in batch]
    # A batch may come again after a connection broke: nobody knows whether it was committed.
    connection.execute(inserting(connection, VerdictRow).on_conflict_do_nothing(), verdicts)
    thumbnails = [{"sha256": one.sha256, "webp": one.webp} for one in batch if one.webp]
    if thumbnails:
        connection.execute(inserting(connection, ThumbnailRow).on_conflict_do_nothing(), thumbnails)
    photos = [
        {"sha256": one.sha256, "bytes": len(one.draft.photo), "seen_at": one.draft.time}
        for one in batch
        if one.keeps
    ]
    if photos:
        _insert_photos(connection, photos)


def _insert_photos(connection: Connection, photos: Sequence[dict[str, Any]]) -> None:
    insert = inserting(connection, PhotoRow)
    seen, known = insert.excluded.seen_at, PhotoRow.seen_at
    later = {"seen_at": case((seen > known, seen), else_=known)}
    connection.execute(insert.on_conflict_do_update(index_elements=["sha256"], set_=later), photos)
    reviewed = exists().where(
        VerdictRow.sha256 == PhotoRow.sha256, VerdictRow.decision.is_not(None)
    )
    connection.execute(
        update(PhotoRow)
        .where(PhotoRow.sha256.in_([photo["sha256"] for photo in photos]), reviewed)
        .values(reviewed=True)
    )


def inserting(connection: Connection, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what happens to a row that is there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)

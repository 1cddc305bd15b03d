"""After a crash, or hands in the folder: files without a row go, rows without their file, too."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog
from sqlalchemy import select

from .deleting import CHUNK, delete_photos
from .opening import Records
from .schema import PhotoRow
from .transactions import reading, writing

log = structlog.get_logger()

# Whoever writes a photo's file writes its row within minutes, however slow the disk is.
OLD_S = 3600.0


@dataclass(frozen=True)
class Mended:
    """What was found and deleted.

    Attributes:
        files: photos without a row. rows: of photos that are missing or of another size.
        partial: halves of files.
    """

    files: int = 0
    rows: int = 0
    partial: int = 0


def mend(records: Records, older_than_s: float = OLD_S) -> Mended:
    """Compare the folder of photos with the database, and delete what stands alone.

    Args:
        older_than_s: younger files may belong to a row that is being written.

    Raises:
        RecordsUnavailable: the database cannot be used. OSError: the folder cannot be.
    """
    until = time.time() - older_than_s
    found = Mended(
        files=sum(_strays(records, some, until) for some in _chunks(records.photos.all())),
        rows=sum(_without_file(records, some) for some in _photos(records)),
        partial=sum(_remove(path) for path in records.photos.partial() if _is_old(path, until)),
    )
    if found != Mended():
        log.warning(
            "photos and database did not agree",
            files_without_row=found.files,
            rows_without_file=found.rows,
            halves_of_files=found.partial,
        )
    return found


def _strays(records: Records, photos: list[str], until: float) -> int:
    query = select(PhotoRow.sha256).where(PhotoRow.sha256.in_(photos))
    with reading(records.engine) as connection:
        suspects = set(photos) - set(connection.scalars(query))
    suspects = {sha256 for sha256 in suspects if _is_old(records.photos.path(sha256), until)}
    if not suspects:
        return 0
    with writing(records.engine) as connection:  # by now some may have a row
        strays = suspects - set(connection.scalars(query))
        return sum(_remove(records.photos.path(sha256)) for sha256 in strays)


def _without_file(records: Records, photos: dict[str, int]) -> int:
    def missing() -> list[str]:
        return [sha256 for sha256, size in photos.items() if not records.photos.holds(sha256, size)]

    if not missing():
        return 0
    with writing(records.engine) as connection:  # by now some may be written again
        return delete_photos(records, connection, missing()).photos


def _photos(records: Records) -> Iterator[dict[str, int]]:
    """The rows of photos, some at a time: sha256 and bytes."""
    last = "00"
    while True:
        query = select(PhotoRow.sha256, PhotoRow.bytes).order_by(PhotoRow.sha256).limit(CHUNK)
        with reading(records.engine) as connection:
            found = connection.execute(query.where(PhotoRow.sha256 > last)).all()
        if not found:
            return
        last = found[-1].sha256
        yield {row.sha256: row.bytes for row in found}


def _chunks(photos: Iterable[str]) -> Iterator[list[str]]:
    each = iter(photos)
    while some := list(islice(each, CHUNK)):
        yield some


def _is_old(path: Path, until: float) -> bool:
    try:
        return path.stat().st_mtime < until
    except OSError:
        return False


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True

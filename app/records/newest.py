"""What is new: for who watches the records while they grow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from . import rows
from .opening import Records
from .schema import PhotoRow, ReviewRow, ThumbnailRow
from .schema import VerdictRow as V
from .transactions import reading
from .verdicts import Verdict


@dataclass(frozen=True)
class Marks:
    """How far the records have come: the numbers of the newest verdict and review, 0 for none.

    One writes at a time, so that numbers come up in their order: whoever has seen all up to one has
    missed none before it.
    """

    verdict: int = 0
    review: int = 0


@dataclass(frozen=True)
class Arrivals:
    """Verdicts that came after a number.

    Attributes:
        cameras: whose they are; None: of photos that named none.
        anomalous: those of them that are, oldest first.
        all: whether these are all; else more came than anybody looks at.
    """

    cameras: frozenset[str | None]
    anomalous: list[Verdict]
    all: bool


def marks(records: Records) -> Marks:
    """Two looks into indexes."""
    with reading(records.engine) as connection:
        verdict = connection.scalar(select(func.max(V.number)))
        review = connection.scalar(select(func.max(ReviewRow.number)))
    return Marks(verdict or 0, review or 0)


def arrivals(records: Records, after: int, until: int, limit: int = 500) -> Arrivals:
    """The verdicts with numbers from `after`, exclusive, to `until`, inclusive."""
    between = (V.number > after, V.number <= until)
    query = select(V.number, V.camera, V.verdict).where(*between).order_by(V.number)
    with reading(records.engine) as connection:
        found = connection.execute(query.limit(limit + 1)).all()
        numbers = [row.number for row in found[:limit] if row.verdict == "anomalous"]
        chosen = rows.selected().where(V.number.in_(numbers)).order_by(V.number)
        anomalous = rows.verdicts(connection, chosen) if numbers else []
    cameras = frozenset(row.camera for row in found[:limit])
    return Arrivals(cameras, anomalous, len(found) <= limit)


def of_camera(records: Records, camera: str | None, size: int) -> list[Verdict]:
    """A camera's newest verdicts, newest first; None: those of photos that named no camera."""
    its = V.camera.is_(None) if camera is None else V.camera == camera
    # With the camera in front the order is the index's own, also for PostgreSQL, to which NULL is
    # no value that stays the same.
    order = (V.camera.desc(), V.time.desc(), V.number.desc())
    with reading(records.engine) as connection:
        return rows.verdicts(connection, rows.selected().where(its).order_by(*order).limit(size))


def last_seen(records: Records, camera: str | None) -> datetime | None:
    """When a camera's newest verdict was; None: there is none."""
    its = V.camera.is_(None) if camera is None else V.camera == camera
    order = (V.camera.desc(), V.time.desc(), V.number.desc())
    with reading(records.engine) as connection:
        return connection.scalar(select(V.time).where(its).order_by(*order).limit(1))


def with_thumbnail(records: Records, photos: Collection[str]) -> set[str]:
    """Those of these photos, by sha256, that have a thumbnail."""
    if not photos:
        return set()
    query = select(ThumbnailRow.sha256).where(ThumbnailRow.sha256.in_(photos))
    with reading(records.engine) as connection:
        return set(connection.scalars(query))


def photos_kept(records: Records) -> tuple[int, int]:
    """How many photos are kept, and their bytes; reads an index of all of them."""
    query = select(func.count(), func.coalesce(func.sum(PhotoRow.bytes), 0)).select_from(PhotoRow)
    with reading(records.engine) as connection:
        number, total = connection.execute(query).one()
    return int(number), int(total)

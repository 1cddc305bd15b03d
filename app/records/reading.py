"""Ask for verdicts: one, pages of them, how many, the newest, their scores."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from . import rows
from .columns import Number, microseconds
from .errors import InvalidCursor, UnknownVerdict
from .filters import EVERYTHING, Filter
from .opening import Records
from .schema import ThumbnailRow
from .schema import VerdictRow as V
from .transactions import reading
from .verdicts import Verdict

# A page that a person or a program waits for.
MAX_PAGE = 1000
# Counting on takes longer than anybody looks at the number.
COUNTED = 10_000
# So many scores show a distribution; more only take time.
HISTOGRAM_SCORES = 50_000
NEWEST_FIRST = (V.time.desc(), V.number.desc())


@dataclass(frozen=True)
class Page:
    """Verdicts, newest first.

    Attributes:
        next: the cursor of the page after this one; None: this is the last.
    """

    verdicts: list[Verdict]
    next: str | None


@dataclass(frozen=True)
class Neighbours:
    """The ids of the verdicts beside one, in the order of pages; None: there is none."""

    newer: UUID | None
    older: UUID | None


@dataclass(frozen=True)
class Count:
    """How many: exactly, or that there are `more` than `number`."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"more than {self.number:,}" if self.more else f"{self.number:,}"


@dataclass(frozen=True)
class Histogram:
    """Scores in bins of equal width.

    Attributes:
        edges: one more than there are bins; both empty where there are no scores.
        number: how many scores were taken, the newest. more: there are others, older ones.
    """

    edges: list[float]
    counts: list[int]
    number: int
    more: bool


def verdict(records: Records, identity: UUID) -> Verdict:
    """One verdict with its latest review.

    Raises:
        UnknownVerdict: none of that id is stored; it may be about to be.
    """
    with reading(records.engine) as connection:
        found = rows.verdicts(connection, rows.selected().where(V.id == identity))
    if not found:
        raise UnknownVerdict(f"no verdict {identity} is stored")
    return found[0]


def page(
    records: Records, asked: Filter = EVERYTHING, cursor: str | None = None, size: int = 50
) -> Page:
    """A page of verdicts, newest first. From page to page none is left out and none comes twice.

    Args:
        cursor: the `next` of the page before. size: verdicts of a page, from 1 to MAX_PAGE.

    Raises:
        InvalidCursor: not one that a page gave.
    """
    size = max(1, min(size, MAX_PAGE))
    query = rows.selected().order_by(*NEWEST_FIRST).limit(size + 1)
    if cursor is not None:
        query = query.where(_before(cursor))
    with reading(records.engine) as connection:
        found = rows.numbered(connection, query.where(*asked.among(connection)))
    taken = found[:size]
    following = _cursor(taken[-1][1].time, taken[-1][0]) if len(found) > size else None
    return Page([verdict for _, verdict in taken], following)


def neighbours(records: Records, identity: UUID, asked: Filter = EVERYTHING) -> Neighbours:
    """Which verdicts that the filter means come before and after one, whether it means that, too.

    Raises:
        UnknownVerdict: none of that id is stored.
    """
    place, other = tuple_(V.time, V.number), select(V.id).limit(1)
    with reading(records.engine) as connection:
        found = connection.execute(select(V.time, V.number).where(V.id == identity)).one_or_none()
        if found is None:
            raise UnknownVerdict(f"no verdict {identity} is stored")
        here = tuple_(literal(microseconds(found.time), BigInteger), literal(found.number, Number))
        clauses = asked.among(connection)
        newer = other.where(place > here, *clauses).order_by(V.time, V.number)
        older = other.where(place < here, *clauses).order_by(*NEWEST_FIRST)
        return Neighbours(connection.scalar(newer), connection.scalar(older))


def count(records: Records, asked: Filter = EVERYTHING, limit: int = COUNTED) -> Count:
    """How many verdicts there are; counted up to the limit."""
    # In the order of pages, so that it goes by the indexes of pages.
    query = select(V.number).order_by(*NEWEST_FIRST).limit(limit + 1)
    with reading(records.engine) as connection:
        some = query.where(*asked.among(connection)).subquery()
        number = connection.scalar(select(func.count()).select_from(some)) or 0
    return Count(min(number, limit), number > limit)


def known_categories(records: Records) -> list[str]:
    """The categories of which there are verdicts."""
    return _distinct(records, V.category)


def known_cameras(records: Records) -> list[str]:
    """The cameras of which there are verdicts."""
    return _distinct(records, V.camera)


def newest_per_camera(records: Records, category: str | None = None) -> list[Verdict]:
    """Each camera's newest verdict, the cameras by name."""
    found = []
    for camera in known_cameras(records):
        asked = Filter(camera=camera, category=category)
        found += page(records, asked, size=1).verdicts
    return found


def histogram(
    records: Records,
    category: str,
    bank_version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    bins: int = 50,
) -> Histogram:
    """The scores of a category, those of one bank version or all, of a time span or all.

    Of more than HISTOGRAM_SCORES the newest are taken.
    """
    found = scores(records, category, bank_version, since, until, HISTOGRAM_SCORES + 1)
    taken = found[:HISTOGRAM_SCORES]
    if not taken.size:
        return Histogram([], [], 0, False)
    counts, edges = np.histogram(taken, bins)
    return Histogram(edges.tolist(), counts.tolist(), taken.size, found.size > taken.size)


def scores(
    records: Records,
    category: str,
    bank_version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = HISTOGRAM_SCORES,
) -> npt.NDArray[np.float64]:
    """(n,) float64, the newest first: the scores of a category, as `histogram` takes them."""
    asked = Filter(category=category, since=since, until=until)
    query = select(V.score).where(*asked.clauses(), V.score.is_not(None)).order_by(*NEWEST_FIRST)
    if bank_version is not None:
        query = query.where(V.bank_version == bank_version)
    some = query.limit(limit).subquery()
    # As one text: a row of Python's for each would set off its search for garbage, which takes
    # several times as long where torch is loaded.
    is_sqlite = records.engine.dialect.name == "sqlite"
    together = func.json_group_array if is_sqlite else func.json_agg
    with reading(records.engine) as connection:
        text = connection.scalar(select(cast(together(some.c.score), Text)))
    return np.asarray(json.loads(text or "[]"), dtype=np.float64)


def thumbnail_of(records: Records, sha256: str) -> bytes | None:
    """A photo's thumbnail, a WebP; None where there is none."""
    query = select(ThumbnailRow.webp).where(ThumbnailRow.sha256 == sha256)
    with reading(records.engine) as connection:
        return connection.scalar(query)


def _distinct(
    records: Records, column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
) -> list[str]:
    """A column's values, each by one look into its index."""
    found: list[str] = []
    with reading(records.engine) as connection:
        query = select(func.min(column))
        while (value := connection.scalar(query)) is not None:
            found.append(value)
            query = select(func.min(column)).where(column > value)
    return found


def _cursor(time: datetime, number: int) -> str:
    return base64.urlsafe_b64encode(f"{microseconds(time)}.{number}".encode()).decode().rstrip("=")


def _before(cursor: str) -> ColumnElement[bool]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        time, number = (int(word) for word in text.split("."))
        if max(abs(time), abs(number)) >= 1 << 63:
            raise ValueError("more than a database holds")
    except ValueError as exc:
        raise InvalidCursor("not a cursor that a page gave: begin without one") from exc
    return tuple_(V.time, V.number) < tuple_(literal(time, BigInteger), literal(number, Number))

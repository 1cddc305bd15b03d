"""What to review next: anomalous first, then near the threshold, then the rest; newest first.

Whoever is given a verdict has its photo on lease: until the lease ends nobody else is given a
verdict of that photo.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select

from . import rows
from .errors import UnknownVerdict
from .keeping import NEAR
from .opening import Records
from .reading import COUNTED, Count
from .schema import LeaseRow
from .schema import VerdictRow as V
from .transactions import reading, writing
from .verdicts import Verdict, now

LEASE_S = 300.0
_ORDER = (V.urgency.desc(), V.time.desc(), V.number.desc())


@dataclass(frozen=True)
class Remaining:
    """How many verdicts nobody has reviewed.

    Attributes:
        urgent: the anomalous ones and those near the threshold. all: these and the rest.
    """

    urgent: Count
    all: Count


def next_unreviewed(
    records: Records,
    who: str,
    category: str | None = None,
    *,
    lease_s: float = LEASE_S,
    skip: Collection[UUID] = (),
) -> Verdict | None:
    """What this person should review next, on lease to them; None: nothing is left for them.

    Who asks again without having reviewed it gets the same verdict, and the lease begins anew.

    Args:
        skip: verdicts to leave out, such as one that is on the screen while the next is fetched.
    """
    at = now()
    with writing(records.engine) as connection:
        connection.execute(delete(LeaseRow).where(LeaseRow.until <= at))
        number = _held(connection, who, category, skip) or _free(connection, category, skip)
        if number is None:
            return None
        (found,) = rows.verdicts(connection, rows.selected().where(V.number == number))
        _lease(connection, who, number, found.sha256, at + timedelta(seconds=lease_s))
    return found


def take(records: Records, who: str, verdict_id: UUID, *, lease_s: float = LEASE_S) -> bool:
    """Have this verdict's photo on lease, or its lease begin anew; False: somebody else has it.

    Raises:
        UnknownVerdict: none of that id is stored.
    """
    at = now()
    with writing(records.engine) as connection:
        asked = select(V.number, V.sha256).where(V.id == verdict_id)
        found = connection.execute(asked).one_or_none()
        if found is None:
            raise UnknownVerdict(f"no verdict {verdict_id} is stored")
        theirs = select(LeaseRow.who).where(LeaseRow.sha256 == found.sha256, LeaseRow.until > at)
        if connection.scalar(theirs) not in (None, who):
            return False
        _lease(connection, who, found.number, found.sha256, at + timedelta(seconds=lease_s))
    return True


def release(records: Records, who: str, verdict_id: UUID | None = None) -> None:
    """Give a lease back before it ends, or all of a person: others may be given the photos at
    once."""
    theirs = delete(LeaseRow).where(LeaseRow.who == who)
    if verdict_id is not None:
        number = select(V.number).where(V.id == verdict_id).scalar_subquery()
        theirs = theirs.where(LeaseRow.verdict_number == number)
    with writing(records.engine) as connection:
        connection.execute(theirs)


def remaining(records: Records, category: str | None = None, limit: int = COUNTED) -> Remaining:
    """How many are left to review, whether on lease or not; each counted up to the limit."""
    return Remaining(
        _count(records, limit, *_unreviewed(category), V.urgency >= NEAR),
        _count(records, limit, *_unreviewed(category)),
    )


def _lease(connection: Connection, who: str, number: int, sha256: str, until: datetime) -> None:
    connection.execute(delete(LeaseRow).where(LeaseRow.sha256 == sha256))
    lease = {"sha256": sha256, "who": who, "until": until, "verdict_number": number}
    connection.execute(insert(LeaseRow), lease)


def _held(
    connection: Connection, who: str, category: str | None, skip: Collection[UUID]
) -> int | None:
    # Few verdicts, so they are looked at one by one; a database might go through all others first.
    theirs = connection.scalars(select(LeaseRow.verdict_number).where(LeaseRow.who == who)).all()
    if not theirs:
        return None
    query = select(V.number, V.id, V.category, V.decision).where(V.number.in_(theirs))
    for row in connection.execute(query.order_by(*_ORDER)):
        fits = row.decision is None and category in (None, row.category)
        if fits and row.id not in skip:
            return int(row.number)
    return None


def _free(connection: Connection, category: str | None, skip: Collection[UUID]) -> int | None:
    taken = exists().where(LeaseRow.sha256 == V.sha256)
    query = select(V.number).where(~taken, *_unreviewed(category, skip))
    return connection.scalar(query.order_by(*_ORDER).limit(1))


def _unreviewed(category: str | None, skip: Collection[UUID] = ()) -> Iterator[ColumnElement[bool]]:
    yield V.decision.is_(None)
    if category is not None:
        yield V.category == category
    if skip:
        yield V.id.not_in(list(skip))


def _count(records: Records, limit: int, *clauses: ColumnElement[bool]) -> Count:
    some = select(V.number).where(*clauses).limit(limit + 1).subquery()
    with reading(records.engine) as connection:
        number = connection.scalar(select(func.count()).select_from(some)) or 0
    return Count(min(number, limit), number > limit)

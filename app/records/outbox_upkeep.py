"""The outbox within its bounds: what waits too long or in too large a number, what is done.

A target's days without network must survive; a target that nobody can reach for ever must not fill
the disk.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from .deleting import CHUNK
from .opening import Records
from .outbox import count
from .schema import DeliveryRow as D
from .schema import EventRow as E
from .schema import TargetRow as T
from .transactions import reading, writing

log = structlog.get_logger()

_WAITS = D.done_at.is_(None)


@dataclass(frozen=True)
class OutboxLimits:
    """How much the outbox holds.

    Attributes:
        done_days: how long an event stays after its last delivery is done, by its own time.
        waiting_days: how old one may be that still waits. waiting: how many may, for each target.
        stray_days: how old one may be that waits for a target which is no longer configured: an
            entry that is broken for an hour must not lose its events.
        overlays: how many of the newest events keep their picture.
    """

    done_days: float = 30.0
    waiting_days: float = 7.0
    waiting: int = 5000
    stray_days: float = 1.0
    overlays: int = 500


@dataclass(frozen=True)
class Trimmed:
    """What went: dropped deliveries by target, and deleted events."""

    dropped: Mapping[str, int] = field(default_factory=dict)
    events: int = 0


@dataclass(frozen=True)
class TargetCounts:
    """How a target's deliveries are.

    Attributes:
        waiting: now. oldest: the time of the oldest event that waits; None: none does.
        delivered, failed (attempts), dropped: ever.
        disabled: why it wants no more; None: it does.
        trouble: why the oldest one failed the last time; None: it did not.
    """

    waiting: int = 0
    oldest: datetime | None = None
    delivered: int = 0
    failed: int = 0
    dropped: int = 0
    disabled: str | None = None
    trouble: str | None = None


def trim(
    records: Records, targets: Collection[str], limits: OutboxLimits, now: datetime
) -> Trimmed:
    """Bring the outbox within its limits; what is dropped is logged, and counted.

    Args:
        targets: the names of those that are configured.

    Raises:
        RecordsUnavailable: the database cannot be written; a part may be done.
    """
    dropped: dict[str, int] = {}
    with writing(records.engine) as connection:
        # The names come from an index of what waits, which is short.
        for name in connection.scalars(select(D.target).where(_WAITS).distinct()).all():
            if gone := _drop(connection, name, name in targets, limits, now):
                dropped[name] = gone
        _forget_targets(connection, targets)
        _forget_overlays(connection, limits.overlays)
    for name, gone in dropped.items():
        log.warning("events are dropped that a target has not taken", target=name, dropped=gone)
    return Trimmed(dropped, _delete_done(records, now - timedelta(days=limits.done_days)))


def counts(records: Records, targets: Collection[str]) -> dict[str, TargetCounts]:
    """How each of these targets' deliveries are, by name.

    Raises:
        RecordsUnavailable: the database cannot be read.
    """
    waiting = (
        select(D.target, func.count().label("number"), func.min(D.number).label("first"))
        .where(_WAITS, D.target.in_(targets))
        .group_by(D.target)
        .subquery()
    )
    first = (
        select(D.target, waiting.c.number, E.time, D.reason)
        .join(waiting, waiting.c.first == D.number)
        .join(E, E.number == D.event_number)
    )
    with reading(records.engine) as connection:
        ever = {row.name: row for row in connection.execute(select(T.__table__))}
        now = {row.target: row for row in connection.execute(first)}
    found = {}
    for name in targets:
        said, row = ever.get(name), now.get(name)
        found[name] = TargetCounts(
            waiting=row.number if row else 0,
            oldest=row.time if row else None,
            delivered=said.delivered if said else 0,
            failed=said.failed if said else 0,
            dropped=said.dropped if said else 0,
            disabled=(said.reason or "") if said and said.disabled_at else None,
            trouble=row.reason if row else None,
        )
    return found


def _drop(
    connection: Connection, name: str, is_known: bool, limits: OutboxLimits, now: datetime
) -> int:
    days = limits.waiting_days if is_known else limits.stray_days
    old = select(E.number).where(E.time < now - timedelta(days=days))
    gone = _end(connection, name, D.event_number.in_(old), f"it waited for {days:g} days", now)
    mine = select(D.number).where(_WAITS, D.target == name)
    last = connection.scalar(mine.order_by(D.number.desc()).offset(limits.waiting).limit(1))
    if last is not None:
        gone += _end(connection, name, D.number <= last, f"more than {limits.waiting} wait", now)
    if gone:
        count(connection, name, "dropped", gone)
    return gone


def _end(
    connection: Connection, name: str, which: ColumnElement[bool], reason: str, now: datetime
) -> int:
    ending = update(D).where(_WAITS, D.target == name, which)
    return connection.execute(ending.values(done_at=now, reason=reason)).rowcount


def _forget_targets(connection: Connection, targets: Collection[str]) -> None:
    waiting = select(D.target).where(_WAITS)
    connection.execute(delete(T).where(T.name.not_in(targets), T.name.not_in(waiting)))


def _forget_overlays(connection: Connection, keep: int) -> None:
    newest = select(E.number).order_by(E.number.desc())
    last = connection.scalar(newest.offset(keep).limit(1))
    if last is not None:
        going = update(E).where(E.number <= last, E.overlay.is_not(None))
        connection.execute(going.values(overlay=None))


def _delete_done(records: Records, before: datetime) -> int:
    waits = select(D.event_number).where(_WAITS)
    old = select(E.number).where(E.time < before, E.number.not_in(waits)).limit(CHUNK)
    deleted = 0
    while True:
        with writing(records.engine) as connection:
            numbers = connection.scalars(old).all()
            connection.execute(delete(E).where(E.number.in_(numbers)))  # deliveries go with it
        deleted += len(numbers)
        if len(numbers) < CHUNK:
            return deleted

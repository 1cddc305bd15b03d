"""Events on their way to targets: stored with what made them, told in order, at least once.

A target gets its events one after the other: the oldest that waits is the only one that may be
tried. Whoever dies after a delivery and before `delivered` makes it a second time: its id is the
same. `outbox_upkeep.py` bounds what waits, and deletes what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, insert, select, update

from .batch import inserting
from .events import Event, EventKind
from .opening import Records
from .schema import AlarmStateRow, DeliveryRow, EventRow, TargetRow
from .transactions import reading, writing

# An event -> the names of the targets that are to be told of it.
TargetsOf = Callable[[Event], Collection[str]]
MAX_REASON = 500


@dataclass(frozen=True)
class AlarmRecord:
    """What the bridge remembers of a camera and category; of the camera itself: category ""."""

    camera: str
    category: str
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """An event that a target waits for.

    Attributes:
        number: the target's order. attempts: how many have failed.
        tried_at, due_at: when the last one failed, and when the next one may be made; None: it has
            not been tried. reason: why it failed.
    """

    number: int
    target: str
    event: Event
    attempts: int = 0
    tried_at: datetime | None = None
    due_at: datetime | None = None
    reason: str | None = None

    @property
    def pause_s(self) -> float:
        """How long it had to wait for the attempt that is next; 0: that is the first."""
        if self.due_at is None or self.tried_at is None:
            return 0.0
        return (self.due_at - self.tried_at).total_seconds()

    def wait_s(self, now: datetime) -> float:
        """How long it must not be tried yet; a clock that was set back prolongs no wait."""
        if self.due_at is None or self.tried_at is None or now < self.tried_at:
            return 0.0
        return max(0.0, (self.due_at - now).total_seconds())


def put(
    records: Records,
    events: Sequence[Event],
    targets_of: TargetsOf,
    states: Sequence[AlarmRecord] = (),
) -> None:
    """Store what changed and what is to be told of it: all, or nothing.

    It may be asked again where nobody knows whether it was done: an event that is stored already
    is told once. A target that is disabled gets none.

    Raises:
        RecordsUnavailable: the database cannot be written now.
        RecordRefused, ValueError: a value is wrong, such as NaN in a body.
    """
    with writing(records.engine) as connection:
        for state in states:
            _remember(connection, state)
        disabled = set(
            connection.scalars(select(TargetRow.name).where(TargetRow.disabled_at.is_not(None)))
        )
        for event in events:
            number = _insert(connection, event)
            targets = [name for name in targets_of(event) if name not in disabled]
            if number is not None and targets:
                rows = [{"event_number": number, "target": name} for name in targets]
                connection.execute(insert(DeliveryRow), rows)


def alarm_states(records: Records) -> dict[tuple[str, str], dict[str, Any]]:
    """Camera and category -> what is remembered of them.

    Raises:
        RecordsUnavailable: the database cannot be read.
    """
    with reading(records.engine) as connection:
        return {
            (row.camera, row.category): row.state
            for row in connection.execute(select(AlarmStateRow.__table__))
        }


def oldest(records: Records, target: str) -> Delivery | None:
    """The one that a target gets next, due or not (`Delivery.wait_s`); None: none waits.

    Raises:
        RecordsUnavailable: the database cannot be read.
    """
    query = (
        select(
            DeliveryRow.number, DeliveryRow.attempts, DeliveryRow.tried_at, DeliveryRow.due_at,
            DeliveryRow.reason, EventRow.id, EventRow.time, EventRow.kind, EventRow.camera,
            EventRow.category, EventRow.body, EventRow.overlay,
        )
        .join(EventRow, EventRow.number == DeliveryRow.event_number)
        .where(DeliveryRow.target == target, DeliveryRow.done_at.is_(None))
        .order_by(DeliveryRow.number)
        .limit(1)
    )  # fmt: skip
    with reading(records.engine) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    kind = cast(EventKind, row.kind)
    overlay = None if row.overlay is None else bytes(row.overlay)
    event = Event(
        kind=kind, camera=row.camera, category=row.category, body=row.body, overlay=overlay,
        id=row.id, time=row.time,
    )  # fmt: skip
    return Delivery(row.number, target, event, row.attempts, row.tried_at, row.due_at, row.reason)


def due(records: Records, target: str, now: datetime) -> Delivery | None:
    """The one that a target is to get now; None: none waits, or the oldest must wait longer.

    Raises:
        RecordsUnavailable: the database cannot be read.
    """
    found = oldest(records, target)
    return found if found is not None and found.wait_s(now) <= 0 else None


def delivered(records: Records, delivery: Delivery, now: datetime) -> None:
    """The target has taken it.

    Raises:
        RecordsUnavailable: the database cannot be written; it will be due again.
    """
    _end(records, delivery, now, "delivered", None)


def dropped(records: Records, delivery: Delivery, reason: str, now: datetime) -> None:
    """The target will never take it.

    Raises:
        RecordsUnavailable: the database cannot be written; it will be due again.
    """
    _end(records, delivery, now, "dropped", reason)


def failed(
    records: Records, delivery: Delivery, retry_at: datetime, reason: str, now: datetime
) -> None:
    """It was tried in vain, and is due again later.

    Raises:
        RecordsUnavailable: the database cannot be written.
    """
    values = {
        "attempts": DeliveryRow.attempts + 1,
        "tried_at": now,
        "due_at": max(retry_at, now),
        "reason": _storable(reason),
    }
    with writing(records.engine) as connection:
        if _change(connection, delivery, values):
            count(connection, delivery.target, "failed", 1)


def disable(records: Records, target: str, address: str, reason: str, now: datetime) -> int:
    """The target wants no more: what waits for it is dropped, and nothing new is put.

    Args:
        address: what the target's settings say of where it is; other ones enable it again.

    Returns:
        how many were dropped.

    Raises:
        RecordsUnavailable: the database cannot be written.
    """
    reason = _storable(reason)
    waiting = (DeliveryRow.target == target, DeliveryRow.done_at.is_(None))
    with writing(records.engine) as connection:
        gone = connection.execute(
            update(DeliveryRow).where(*waiting).values(done_at=now, reason=reason)
        ).rowcount
        count(connection, target, "dropped", gone)
        connection.execute(
            update(TargetRow)
            .where(TargetRow.name == target)
            .values(disabled_at=now, address=address, reason=reason)
        )
    return gone


def why_disabled(records: Records, target: str, address: str) -> str | None:
    """Why a target wants no more; None: it is enabled, now at the latest if its address is new.

    Raises:
        RecordsUnavailable: the database cannot be written.
    """
    with writing(records.engine) as connection:
        row = connection.execute(
            select(TargetRow.address, TargetRow.reason).where(
                TargetRow.name == target, TargetRow.disabled_at.is_not(None)
            )
        ).one_or_none()
        if row is None:
            return None
        if row.address == address:
            return row.reason or ""
        again = {"disabled_at": None, "address": None, "reason": None}
        connection.execute(update(TargetRow).where(TargetRow.name == target).values(again))
    return None


def count(connection: Connection, target: str, column: str, number: int) -> None:
    """Add to a target's `delivered`, `failed` or `dropped`, within a transaction that writes."""
    adding = inserting(connection, TargetRow).values({"name": target, column: number})
    more = getattr(TargetRow, column) + number
    connection.execute(adding.on_conflict_do_update(index_elements=["name"], set_={column: more}))


def _remember(connection: Connection, record: AlarmRecord) -> None:
    values = {"camera": record.camera, "category": record.category, "state": dict(record.state)}
    adding = inserting(connection, AlarmStateRow).values(values)
    connection.execute(
        adding.on_conflict_do_update(
            index_elements=["camera", "category"], set_={"state": adding.excluded.state}
        )
    )


def _insert(connection: Connection, event: Event) -> int | None:
    """Its number; None where it is stored already."""
    values = {
        "id": event.id, "time": event.time, "kind": event.kind, "camera": event.camera,
        "category": event.category, "body": dict(event.body), "overlay": event.overlay,
    }  # fmt: skip
    adding = inserting(connection, EventRow).values(values).on_conflict_do_nothing()
    return connection.execute(adding.returning(EventRow.number)).scalar_one_or_none()


def _end(
    records: Records, delivery: Delivery, now: datetime, outcome: str, reason: str | None
) -> None:
    values = {"done_at": now, "reason": _storable(reason) if reason else None}
    with writing(records.engine) as connection:
        if _change(connection, delivery, values):
            count(connection, delivery.target, outcome, 1)


def _storable(reason: str) -> str:
    """What a target said may hold anything: no database takes NUL, or half of a pair."""
    return reason.replace("\0", "").encode(errors="replace").decode()[:MAX_REASON]


def _change(connection: Connection, delivery: Delivery, values: Mapping[str, Any]) -> bool:
    """Whether it waited still."""
    waits = (DeliveryRow.number == delivery.number, DeliveryRow.done_at.is_(None))
    return connection.execute(update(DeliveryRow).where(*waits).values(values)).rowcount > 0

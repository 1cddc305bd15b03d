"""The scores of a category's photos: what a threshold would have done to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, ColumnElement, Text, cast, distinct, func, select, type_coerce

from .opening import Records
from .reading import NEWEST_FIRST
from .schema import VerdictRow as V
from .transactions import reading
from .verdicts import Decision

# Beyond so many a share hardly changes; more only take time.
MAX_SCORES = 50_000
# People review fewer, and each costs a look into the table.
MAX_REVIEWED = 5_000
_DAY = 86_400_000_000  # as times are stored: in microseconds


@dataclass(frozen=True)
class Scores:
    """Scores, in no order.

    Attributes:
        values: (n,) float64.
        since: the time of the oldest that was taken; None: there is none.
        more: there are others, older ones.
        days: on how many days, of UTC, there are some.
    """

    values: npt.NDArray[np.float64]
    since: datetime | None
    more: bool
    days: int = 0


def scores(
    records: Records, category: str, bank_versions: Sequence[str], since: datetime
) -> Scores:
    """Those of photos that these versions have judged since then; the newest MAX_SCORES."""
    return _taken(
        records,
        MAX_SCORES,
        V.category == category,
        V.time >= since,
        V.bank_version.in_(bank_versions),
        V.score.is_not(None),
    )


def reviewed_scores(
    records: Records, category: str, bank_versions: Sequence[str], decision: Decision
) -> Scores:
    """Those of photos that these versions have judged and of which the latest review says this;
    the newest MAX_REVIEWED."""
    return _taken(
        records,
        MAX_REVIEWED,
        V.decision == decision,
        V.decision.is_not(None),  # as its index says
        # An expression, so that no database goes by the index of all that the category has.
        V.category.concat("") == category,
        V.bank_version.in_(bank_versions),
        V.score.is_not(None),
    )


def _taken(records: Records, limit: int, *clauses: ColumnElement[bool]) -> Scores:
    query = select(V.score, V.time).where(*clauses).order_by(*NEWEST_FIRST).limit(limit + 1)
    some = query.subquery()
    # As one text: see `reading.histogram`.
    is_sqlite = records.engine.dialect.name == "sqlite"
    together = func.json_group_array if is_sqlite else func.json_agg
    with reading(records.engine) as connection:
        row = connection.execute(
            select(
                cast(together(some.c.score), Text),
                func.min(some.c.time, type_=V.time.type),
                func.count(distinct(type_coerce(some.c.time, BigInteger) // _DAY)),
            )
        ).one()
    values = np.asarray(json.loads(row[0] or "[]"), dtype=np.float64)
    return Scores(values[:limit], row[1], values.size > limit, row[2])

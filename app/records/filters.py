"""Filter: which verdicts are meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from .schema import VerdictRow as V
from .verdicts import Decision, VerdictName

Clause = ColumnElement[bool]

_COLUMNS = V.__table__.c
# So many verdicts are looked at one by one in milliseconds.
_FEW = 1000


@dataclass(frozen=True, kw_only=True)
class Filter:
    """All that are given must hold; None does not ask.

    Attributes:
        reviewed: whether a person has reviewed it. decision: what the latest review says.
        since, until: times with their zone, `since` inclusive, `until` exclusive.
        lowest, highest: scores, both inclusive; they leave out photos that have none.
    """

    category: str | None = None
    camera: str | None = None
    verdict: VerdictName | None = None
    reviewed: bool | None = None
    decision: Decision | None = None
    since: datetime | None = None
    until: datetime | None = None
    lowest: float | None = None
    highest: float | None = None

    def clauses(self, of: ReadOnlyColumnCollection[str, Any] = _COLUMNS) -> list[Clause]:
        """The same for the database, of these columns."""
        return self._but_scores(of) + self._scores(of)

    def among(self, connection: Connection) -> list[Clause]:
        """The same, by the quickest way that the database has.

        Where few verdicts have such scores, these are looked at first: walking through all others
        in the order of time to find that there are none takes a hundred times as long.
        """
        if not (scores := self._scores(_COLUMNS)):
            return self.clauses()
        numbers = connection.scalars(select(V.number).where(*scores).limit(_FEW + 1)).all()
        if len(numbers) > _FEW:
            # As a sum a score is in no index: by that of scores all of them would be found first,
            # then sorted by time, which takes a second of a million.
            return self._but_scores(_COLUMNS) + self._scores(_COLUMNS, by_index=False)
        # A limit keeps the database from mixing this with the rest, and going by what it likes.
        few = select(V.__table__).where(V.number.in_(numbers)).limit(_FEW).subquery()
        fitting = connection.scalars(select(few.c.number).where(*self.clauses(few.c))).all()
        return [V.number.in_(fitting)]

    def _but_scores(self, of: ReadOnlyColumnCollection[str, Any]) -> list[Clause]:
        asked: dict[str, Any] = {
            "category": self.category,
            "camera": self.camera,
            "verdict": self.verdict,
            "decision": self.decision,
        }
        found: list[Clause] = [
            of[name] == value for name, value in asked.items() if value is not None
        ]
        if self.verdict not in (None, "normal"):
            found.append(of.verdict != literal_column("'normal'"))  # as its index says
        if self.reviewed is not None:
            found.append(of.decision.is_not(None) if self.reviewed else of.decision.is_(None))
        if self.since is not None:
            found.append(of.time >= self.since)
        if self.until is not None:
            found.append(of.time < self.until)
        return found

    def _scores(
        self, of: ReadOnlyColumnCollection[str, Any], *, by_index: bool = True
    ) -> list[Clause]:
        found: list[Clause] = []
        score = of.score if by_index else of.score + 0.0
        if self.lowest is not None:
            found.append(score >= self.lowest)
        if self.highest is not None:
            found.append(score <= self.highest)
        return found


EVERYTHING = Filter()

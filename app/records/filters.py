"""Filter: which verdicts are meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement

from .schema import VerdictRow as V
from .verdicts import Decision, VerdictName


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

    def clauses(self) -> Iterator[ColumnElement[bool]]:
        """The same for the database."""
        if self.category is not None:
            yield V.category == self.category
        if self.camera is not None:
            yield V.camera == self.camera
        if self.verdict is not None:
            yield V.verdict == self.verdict
        if self.reviewed is not None:
            yield V.decision.is_not(None) if self.reviewed else V.decision.is_(None)
        if self.decision is not None:
            yield V.decision == self.decision
        if self.since is not None:
            yield V.time >= self.since
        if self.until is not None:
            yield V.time < self.until
        if self.lowest is not None:
            yield V.score >= self.lowest
        if self.highest is not None:
            yield V.score <= self.highest


EVERYTHING = Filter()

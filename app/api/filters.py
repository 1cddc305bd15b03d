"""Which verdicts are meant, as an address says it: the same names for the API and the page."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from ..records.filters import Filter
from ..records.verdicts import Decision, VerdictName
from .record_schemas import Moment

Name = Annotated[str | None, Query(max_length=64)]
Number = Annotated[float | None, Query(allow_inf_nan=False)]


async def asked(
    category: Name = None,
    camera: Name = None,
    verdict: VerdictName | None = None,
    reviewed: Annotated[bool | None, Query(description="whether anybody has reviewed it")] = None,
    decision: Annotated[Decision | None, Query(description="of the latest review")] = None,
    since: Annotated[Moment | None, Query(description="with its zone; inclusive")] = None,
    until: Annotated[Moment | None, Query(description="with its zone; exclusive")] = None,
    lowest: Annotated[Number, Query(description="score, inclusive")] = None,
    highest: Annotated[Number, Query(description="score, inclusive")] = None,
) -> Filter:
    """A dependency: which verdicts are meant; all that is given must hold."""
    return Filter(
        category=category,
        camera=camera,
        verdict=verdict,
        reviewed=reviewed,
        decision=decision,
        since=since,
        until=until,
        lowest=lowest,
        highest=highest,
    )


FilterDep = Annotated[Filter, Depends(asked)]

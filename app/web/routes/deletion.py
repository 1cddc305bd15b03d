"""Delete a time span for good: what would go is counted first, and a word must be typed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from ...api.deleting import deleted
from ...api.filters import Name
from ...api.record_schemas import Moment
from ...api.services import ServicesDep
from ...records.deleting import Deleted
from ...records.filters import Filter
from ...records.opening import Records
from ...records.reading import Count, count
from ..asked import with_zone
from ..forms import read_form
from ..page_route import PageRoute
from ..rendering import render
from ..viewers import ViewerDep, change

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)

# What must be typed.
WORD = "delete"

Zoned = Annotated[Moment, with_zone, Query()]


@router.get("/delete")
async def ask(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    since: Zoned,
    until: Zoned,
    category: Name = None,
) -> Response:
    """How much would go, and the form."""
    return await _form(request, parts, viewer, _span(since, until, category))


@router.post("/delete", dependencies=[Depends(change)])
async def delete(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    since: Zoned,
    until: Zoned,
    category: Name = None,
) -> Response:
    """Delete them, where the word was typed."""
    span = _span(since, until, category)
    form = await read_form(request)
    if form.get("word", "").strip().lower() != WORD:
        fault = f"Type the word “{WORD}”: nothing was deleted."
        return await _form(request, parts, viewer, span, fault)
    done = await deleted(parts, since, until, span.category)
    return _shown(request, viewer, span, done=done)


def _span(since: Moment, until: Moment, category: str | None) -> Filter:
    return Filter(since=since, until=until, category=category or None)


async def _form(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    span: Filter,
    fault: str | None = None,
) -> Response:
    def look(records: Records) -> tuple[Count, Count]:
        reviewed = Filter(since=span.since, until=span.until, category=span.category, reviewed=True)
        return count(records, span), count(records, reviewed)

    numbers = await parts.records.ask(look)
    return _shown(request, viewer, span, numbers=numbers, fault=fault)


def _shown(
    request: Request,
    viewer: ViewerDep,
    span: Filter,
    *,
    numbers: tuple[Count, Count] | None = None,
    done: Deleted | None = None,
    fault: str | None = None,
) -> Response:
    return render(
        request,
        "deletion.html",
        viewer,
        status=422 if fault else 200,
        title="Delete verdicts",
        entry="history",
        span=span,
        numbers=numbers,
        done=done,
        fault=fault,
        word=WORD,
    )

"""Delete a time span for ever: what would go is counted first, and a word must be typed."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

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
from ..viewers import Viewer, ViewerDep, change

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)

# What must be typed.
WORD = "delete"

Zoned = Annotated[Moment, with_zone, Query()]
Number = Annotated[int, Query(ge=0)]


@router.get("/delete")
async def ask(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    since: Zoned,
    until: Zoned,
    category: Name = None,
    wrong: bool = False,
) -> Response:
    """How much would go, and the form; `wrong`: another word was typed a moment ago."""
    span = _span(since, until, category)

    def look(records: Records) -> tuple[Count, Count]:
        reviewed = Filter(since=span.since, until=span.until, category=span.category, reviewed=True)
        return count(records, span), count(records, reviewed)

    numbers = await parts.records.ask(look)
    fault = f"Type the word “{WORD}”: nothing was deleted." if wrong else None
    return _shown(request, viewer, span, numbers=numbers, fault=fault)


@router.post("/delete", dependencies=[Depends(change)])
async def delete(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    since: Zoned,
    until: Zoned,
    category: Name = None,
) -> Response:
    """Delete them, where the word was typed. Either way it leads on to a page that may be loaded
    again, and gone back to, without deleting once more."""
    span = _span(since, until, category)
    form = await read_form(request)
    if form.get("word", "").strip().lower() != WORD:
        return RedirectResponse(f"delete?{_query(span, {'wrong': 'yes'})}", 303)
    done = await deleted(parts, since, until, span.category)
    numbers = {name: str(number) for name, number in asdict(done).items()}
    told = _query(span, numbers)
    return RedirectResponse(f"deleted?{told}&seal={_seal(viewer, told)}", 303)


@router.get("/deleted")
async def receipt(
    request: Request,
    viewer: ViewerDep,
    since: Zoned,
    until: Zoned,
    verdicts: Number,
    reviews: Number,
    photos: Number,
    photo_bytes: Number,
    category: Name = None,
    seal: str = "",
) -> Response:
    """What was deleted; only as this session was told, since anyone can write an address."""
    span = _span(since, until, category)
    done = Deleted(verdicts, reviews, photos, photo_bytes)
    told = _query(span, {name: str(number) for name, number in asdict(done).items()})
    if not hmac.compare_digest(_seal(viewer, told).encode(), seal.encode("utf-8", "replace")):
        return RedirectResponse("history", 303)
    return _shown(request, viewer, span, done=done)


def _span(since: Moment, until: Moment, category: str | None) -> Filter:
    return Filter(since=since, until=until, category=category or None)


def _query(span: Filter, more: Mapping[str, str]) -> str:
    assert span.since is not None
    assert span.until is not None
    times = {name: getattr(span, name).astimezone(UTC).isoformat() for name in ("since", "until")}
    category = {"category": span.category} if span.category else {}
    return urlencode({**times, **category, **more})


def _seal(viewer: Viewer, told: str) -> str:
    return hmac.digest(viewer.token.encode(), told.encode(), "sha256").hex()


def _shown(
    request: Request,
    viewer: Viewer,
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
        title="Delete verdicts",
        entry="history",
        span=span,
        numbers=numbers,
        done=done,
        fault=fault,
        word=WORD,
    )

"""Review: the page, and its form where the browser runs no scripts."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from ...api.record_schemas import ReviewRequest
from ...api.services import Services, ServicesDep
from ...records import reading, review_queue, reviews
from ...records.errors import InvalidReview, RecordsUnavailable, ReviewConflict
from ...records.ids import uuid7
from ...records.opening import Records
from ...records.verdicts import Review
from .. import reviewing
from ..forms import read_form
from ..page_route import PageRoute
from ..rendering import render
from ..reviewing import SITTING, lease_name
from ..viewers import BadForm, ViewerDep, change

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)

# What was passed over stands in the address.
_MAX_SKIPPED = 50


@router.get("/review")
async def review_page(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    category: Annotated[str | None, Query(max_length=64)] = None,
    id: Annotated[UUID | None, Query()] = None,  # noqa: A002
    sitting: Annotated[str | None, Query(pattern=SITTING)] = None,
    skip: Annotated[list[UUID], Query(max_length=_MAX_SKIPPED)] = [],  # noqa: B006
) -> Response:
    """The photo that comes first, or the one that is asked for; it is then on lease to this page.

    Args:
        sitting: of the form that was sent last, where the browser runs no scripts.
        skip: what was passed over there.
    """
    category, sitting = category or None, sitting or secrets.token_hex(8)
    values: dict[str, Any] = {
        "sitting": sitting,
        "category": category,
        "skip": skip,
    }
    name = lease_name(viewer.name, sitting)

    def look(records: Records) -> dict[str, Any]:
        card = None
        if id is not None:
            verdict = reading.verdict(records, id)
            card = reviewing.card_of(records, parts.registry, verdict, name)
        elif _is_visit(request):
            card = reviewing.next_card(records, parts.registry, name, category, skip)
        return {
            "card": card,
            "left": reviewing.counted(review_queue.remaining(records, category)),
            "types": reviewing.known_types(records),
            "categories": reading.known_categories(records),
        }

    try:
        found = await parts.records.ask(look, "write")
        trouble = None
    except RecordsUnavailable as exc:
        trouble = exc.public
        found = {"card": None, "left": None, "types": [], "categories": []}
    return render(
        request,
        "review.html",
        viewer,
        title="Review",
        trouble=trouble,
        review_id=uuid7(),
        **values,
        **found,
    )


@router.post("/review", dependencies=[Depends(change)])
async def review_form(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """Decide or pass over, then the next photo."""
    form = await read_form(request)
    sitting, skip = form.get("sitting", ""), form.get("skip", "").split()
    try:
        verdict_id, review_id = UUID(form.get("verdict", "")), UUID(form.get("review", ""))
        if form.get("decision") == "skip":
            skip = [*skip, str(verdict_id)][-_MAX_SKIPPED:]
            name = lease_name(viewer.name, sitting)
            give_back = partial(review_queue.release, who=name, verdict_id=verdict_id)
            await parts.records.ask(give_back, "write")
        else:
            said = {name: form.get(name) or None for name in ("decision", "defect", "note")}
            sent = ReviewRequest.model_validate(said | {"id": review_id})
            await _store(parts, sent.of(verdict_id, viewer.name))
            request.state.log = {"verdict_id": str(verdict_id), "decision": sent.decision}
    except InvalidReview:
        raise
    except ValueError as exc:  # ValidationError, too
        raise BadForm("this is no form of the page Review: load the page again") from exc
    query = [("sitting", sitting), ("category", form.get("category", ""))]
    query += [("skip", identity) for identity in skip]
    return RedirectResponse(f"review?{urlencode([pair for pair in query if pair[1]])}", 303)


async def _store(parts: Services, review: Review) -> None:
    """Sent twice it is stored once; sent anew with another decision, as from the page before, it
    is a second thought."""
    try:
        await parts.records.ask(partial(reviews.append, review=review), "write")
    except ReviewConflict:
        anew = replace(review, id=uuid7())
        await parts.records.ask(partial(reviews.append, review=anew), "write")


def _is_visit(request: Request) -> bool:
    """Whether a person goes to the page; not a picture's address on another site's page, nor a
    browser that looks ahead: neither is to hold photos."""
    headers = request.headers
    goes = headers.get("sec-fetch-dest", "document") == "document"
    return goes and "prefetch" not in headers.get("sec-purpose", "")

"""Review: the parts that its script asks for and sends. None of them leads a browser elsewhere."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ...api.intake.json_body import read_json
from ...api.record_schemas import ReviewRequest
from ...api.services import Services, ServicesDep
from ...records import review_queue, reviews
from ...records.errors import NotTheLatest
from ...records.opening import Records
from ...records.verdicts import MAX_NAME, Review
from .. import reviewing
from ..page_route import PageRoute
from ..rendering import render
from ..reviewing import SITTING, Card, Left, lease_name
from ..taking_back import take_back
from ..viewers import ViewerDep, change

router = APIRouter(prefix="/page/review", include_in_schema=False, route_class=PageRoute)

# As many as a person passes over before they look at them again.
_MAX_SKIPPED = 1000
# Photos that one page has before it.
_MAX_HELD = 50
_CHANGE = [Depends(change)]

Sitting = Annotated[str, Field(pattern=SITTING)]
Category = Annotated[str | None, Query(max_length=64)]
VerdictQuery = Annotated[UUID, Query()]


class NextRequest(BaseModel):
    """What a script asks the queue for."""

    model_config = ConfigDict(extra="forbid")

    sitting: Sitting
    category: str | None = Field(default=None, max_length=64)
    skip: list[UUID] = Field(default=[], max_length=_MAX_SKIPPED)


class LeaseRequest(BaseModel):
    """Which leases of a sitting are meant."""

    model_config = ConfigDict(extra="forbid")

    sitting: Sitting
    ids: list[UUID] = Field(default=[], max_length=_MAX_HELD)


class UndoRequest(BaseModel):
    """Which review is taken back, and the id of what is said instead.

    Attributes:
        sitting: before whom the photo lies now, to be decided anew.
    """

    model_config = ConfigDict(extra="forbid")

    review: UUID
    id: UUID
    sitting: Sitting | None = None


@router.post("/next", dependencies=_CHANGE)
async def next_photo(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """The next photo's part of the page, on lease; 204 where nothing is left for this person."""
    sent = await read_json(request, NextRequest)
    name = lease_name(viewer.name, sent.sitting)
    find = partial(
        reviewing.next_card,
        registry=parts.registry,
        who=name,
        category=sent.category or None,
        skip=sent.skip,
    )
    left = _left(request)

    def unless_left(records: Records) -> Card | None:
        return None if name in left else find(records)

    card = await parts.records.ask(unless_left, "write")
    if card is None:
        return Response(status_code=204)
    return render(request, "review_card.html", viewer, card=card)


@router.post("/decide", dependencies=_CHANGE)
async def decide(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    id: VerdictQuery,  # noqa: A002
    category: Category = None,
) -> Response:
    """Store a review; sent again under its id it is stored once."""
    review = (await read_json(request, ReviewRequest)).of(id, viewer.name)
    said = await parts.records.ask(partial(reviews.append, review=review), "write")
    return await _stored(request, parts, said, category)


@router.post("/undo", dependencies=_CHANGE)
async def undo(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    id: VerdictQuery,  # noqa: A002
    category: Category = None,
) -> Response:
    """Take a review back, as `taking_back` says."""
    sent = await read_json(request, UndoRequest)

    def work(records: Records) -> Review:
        said = take_back(records, id, sent.review, viewer.name, sent.id)
        if sent.sitting and said.decision is None:
            review_queue.take(records, lease_name(viewer.name, sent.sitting), id)
        return said

    try:
        said = await parts.records.ask(work, "write")
    except NotTheLatest as exc:
        raise HTTPException(409, str(exc)) from exc
    return await _stored(request, parts, said, category)


@router.post("/hold", dependencies=_CHANGE)
async def hold(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """Have leases begin anew: `lost` are those that others have taken or reviewed since."""
    sent = await read_json(request, LeaseRequest)
    name = lease_name(viewer.name, sent.sitting)
    lost = await parts.records.ask(partial(reviewing.hold, who=name, identities=sent.ids), "write")
    return JSONResponse({"lost": [str(identity) for identity in lost]})


@router.post("/release", dependencies=_CHANGE)
async def release(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """Give leases back; all of the sitting where none are named."""
    sent = await read_json(request, LeaseRequest)
    name = lease_name(viewer.name, sent.sitting)

    left = _left(request)

    def give_back(records: Records) -> None:
        if not sent.ids:
            left.add(name)
        for identity in sent.ids or (None,):
            review_queue.release(records, name, identity)

    await parts.records.ask(give_back, "write")
    return Response(status_code=204)


def _left(request: Request) -> Left:
    """The application's."""
    made: Left | None = getattr(request.app.state, "left", None)
    if made is None:
        made = request.app.state.left = Left()
    return made


@router.get("/types")
async def types(
    parts: ServicesDep, prefix: Annotated[str, Query(max_length=MAX_NAME)] = ""
) -> Response:
    """Defects' types to choose from."""
    found = await parts.records.ask(partial(reviewing.known_types, prefix=prefix))
    return JSONResponse(found)


async def _stored(
    request: Request, parts: Services, said: Review, category: str | None
) -> Response:
    """What is stored now, and how many remain."""
    request.state.log = {"verdict_id": str(said.verdict_id), "decision": said.decision}
    left = await parts.records.ask(partial(review_queue.remaining, category=category or None))
    return JSONResponse({"review": reviewing.spoken(said), "left": reviewing.counted(left)})

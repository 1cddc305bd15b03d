"""Reviews: what people say of verdicts."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request

from ...records import reviews
from ...records.errors import (
    InvalidReview,
    RecordsUnavailable,
    ReviewConflict,
    UnknownVerdict,
)
from ...records.verdicts import MAX_NAME
from ..intake.json_body import read_json
from ..problems import BadUpload, BodyTooLarge, responses
from ..record_schemas import (
    DefectTypeInfo,
    DefectTypeList,
    ReviewInfo,
    ReviewList,
    ReviewRequest,
    VerdictId,
)
from ..security import CallerDep
from ..services import ServicesDep
from ..stored import stored

router = APIRouter(tags=["records"])

# Whose review it is where nobody says who asks.
ANYONE = "anyone"

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": ReviewRequest.model_json_schema(
                    ref_template="#/components/schemas/{model}"
                )
            }
        },
    }
}
_BODY["requestBody"]["content"]["application/json"]["schema"].pop("$defs")  # type: ignore[index]


@router.put(
    "/verdicts/{id}/review",
    summary="Review a verdict",
    responses=responses(
        UnknownVerdict, ReviewConflict, InvalidReview, RecordsUnavailable, BodyTooLarge, BadUpload
    ),
    openapi_extra=_BODY,
)
async def put_review(
    request: Request,
    parts: ServicesDep,
    caller: CallerDep,
    id: VerdictId,  # noqa: A002
) -> ReviewInfo:
    """The latest review of a verdict counts; those before it are kept. Send it again with the same
    `id` where it is not sure whether it arrived: it is stored once."""
    sent = await read_json(request, ReviewRequest)
    review = sent.of(id, caller.key.name if caller.key else ANYONE)
    await stored(parts, id)
    request.state.log = {"verdict_id": str(id), "decision": sent.decision}
    append = partial(reviews.append, review=review)
    return ReviewInfo.of(await parts.records.ask(append, "write"))


@router.get(
    "/verdicts/{id}/reviews",
    summary="All reviews of a verdict",
    responses=responses(UnknownVerdict, RecordsUnavailable),
)
async def list_reviews(parts: ServicesDep, id: VerdictId) -> ReviewList:  # noqa: A002
    """The latest last."""
    found = await parts.records.ask(partial(reviews.history, verdict_id=id))
    return ReviewList(items=[ReviewInfo.of(review) for review in found])


@router.get(
    "/defect-types",
    summary="Defect types that people named",
    responses=responses(RecordsUnavailable),
)
async def list_defect_types(
    parts: ServicesDep,
    prefix: Annotated[
        str, Query(max_length=MAX_NAME, description="what they begin with, in any case")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> DefectTypeList:
    """The most frequent first: to choose from, so that one defect has one name."""
    found = await parts.records.ask(partial(reviews.defect_types, prefix=prefix, limit=limit))
    return DefectTypeList(items=[DefectTypeInfo(name=one.name, number=one.number) for one in found])

"""/verdicts: what was answered, and what people said of it."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.exceptions import RequestValidationError

from ...records import reading
from ...records.deleting import delete_span
from ...records.errors import InvalidCursor, RecordRefused, RecordsUnavailable, UnknownVerdict
from ...records.filters import Filter
from ...records.opening import Records
from ...records.verdicts import Decision, Verdict, VerdictName
from ..problems import responses
from ..record_schemas import DeletedInfo, Moment, VerdictId, VerdictInfo, VerdictPage
from ..security import require_admin
from ..services import Services, ServicesDep

router = APIRouter(prefix="/verdicts", tags=["records"])

# A verdict that was answered a moment ago may still be on its way.
_ON_ITS_WAY_S = 1.0
_BEFORE_DELETING_S = 10.0

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


async def stored(parts: Services, identity: UUID) -> Verdict:
    """A verdict, also one that is just being written.

    Raises:
        UnknownVerdict, RecordsUnavailable.
    """

    def find(records: Records) -> Verdict:
        try:
            return reading.verdict(records, identity)
        except UnknownVerdict:
            parts.records.flush(_ON_ITS_WAY_S)
            return reading.verdict(records, identity)

    return await parts.records.ask(find)


@router.get(
    "",
    summary="Recorded verdicts",
    responses=responses(InvalidCursor, RecordRefused, RecordsUnavailable),
)
async def list_verdicts(
    parts: ServicesDep,
    asked: FilterDep,
    size: Annotated[int, Query(ge=1, le=reading.MAX_PAGE)] = 50,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next` of the page before")
    ] = None,
) -> VerdictPage:
    """A page, newest first; from page to page none is left out and none comes twice."""
    page = await parts.records.ask(partial(_page, asked=asked, cursor=cursor, size=size))
    return VerdictPage(items=[VerdictInfo.of(one) for one in page.verdicts], next=page.next)


def _page(records: Records, asked: Filter, cursor: str | None, size: int) -> reading.Page:
    return reading.page(records, asked, cursor, size)


@router.get(
    "/{id}",
    summary="A recorded verdict",
    responses=responses(UnknownVerdict, RecordsUnavailable),
)
async def get_verdict(parts: ServicesDep, id: VerdictId) -> VerdictInfo:  # noqa: A002
    """What was answered, by what, for whom, and its latest review."""
    return VerdictInfo.of(await stored(parts, id))


@router.delete(
    "",
    summary="Delete verdicts",
    dependencies=[Depends(require_admin)],
    responses=responses(RecordRefused, RecordsUnavailable),
)
async def delete_verdicts(
    parts: ServicesDep,
    since: Annotated[Moment, Query(description="with its zone; inclusive")],
    until: Annotated[Moment, Query(description="with its zone; exclusive")],
    category: Name = None,
) -> DeletedInfo:
    """Delete the verdicts of a time span with their reviews, thumbnails and photos, for good. A
    photo that another verdict is about stays.

    Of several workers, one that has answered within the last second may write that verdict after
    this: delete a span that reaches to now once more, a moment later."""
    if since >= until:
        fault = {"type": "empty_span", "loc": ("query", "until"), "msg": "must be after since"}
        raise RequestValidationError([fault])

    def delete(records: Records) -> DeletedInfo:
        parts.records.flush(_BEFORE_DELETING_S)  # else they would be written behind our back
        return DeletedInfo(**asdict(delete_span(records, since, until, category)))

    return await parts.records.ask(delete, "long")

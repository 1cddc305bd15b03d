"""What was answered and reviewed: a table or a gallery, filtered by the address."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ...api.services import ServicesDep
from ...records import reading
from ...records.errors import InvalidCursor, RecordsUnavailable
from ...records.opening import Records
from ..asked import Asked
from ..page_route import PageRoute
from ..rendering import render
from ..viewers import ViewerDep

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)

_SIZE = 48


@dataclass(frozen=True)
class _Found:
    """A page of verdicts; `fault`: why there is none."""

    page: reading.Page | None = None
    count: reading.Count | None = None
    categories: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    fault: str | None = None


@router.get("/history")
async def history(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """The page; to a script that has changed the filter, its results alone."""
    asked = Asked.of(request.query_params)
    restored = "hx-history-restore-request" in request.headers
    partly = "hx-request" in request.headers and not restored
    here = asked.address(cursor=asked.cursor)
    if not (partly or restored or asked.faults) and _is_untidy(request):
        return RedirectResponse(here, 303)

    def find(records: Records) -> _Found:
        return _found(records, asked, with_names=not partly)

    try:
        found = await parts.records.ask(find)
    except RecordsUnavailable as exc:
        found = _Found(fault=exc.public)
    return render(
        request,
        "history_results.html" if partly else "history.html",
        viewer,
        headers={"HX-Push-Url": here} if partly else {},
        title="History",
        asked=asked,
        found=found,
        is_off=parts.records.state.status == "off",
        partly=partly,
        categories=sorted({*found.categories, *parts.registry.entries}),
        cameras=found.cameras,
    )


def _is_untidy(request: Request) -> bool:
    """Whether a form has sent fields that ask for nothing, or times without their zone."""
    query = request.query_params
    values = Asked.of(query).values
    return any(query[name] != values.get(name, query[name] or None) for name in query)


def _found(records: Records, asked: Asked, *, with_names: bool) -> _Found:
    categories = tuple(reading.known_categories(records)) if with_names else ()
    cameras = tuple(reading.known_cameras(records)) if with_names else ()
    if asked.faults:
        return _Found(None, None, categories, cameras)
    fault = None
    try:
        page = reading.page(records, asked.filter, asked.cursor, _SIZE)
    except InvalidCursor:
        page = reading.page(records, asked.filter, None, _SIZE)
        fault = "This address names a place that no page gave: these are the newest."
    return _Found(page, reading.count(records, asked.filter), categories, cameras, fault)

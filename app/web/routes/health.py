"""Health: what /readyz and /metrics say, in words, and what to do."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response

from ...api.services import Services, ServicesDep
from ..concerns import concerns, drift_words, is_silent, losses, overall
from ..drift_chart import drift_chart
from ..health import Memo, health
from ..page_route import PageRoute
from ..rendering import render
from ..viewers import Viewer, ViewerDep

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)


@router.get("/health")
async def health_page(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    done: Literal["reload"] | None = None,
) -> Response:
    """The page; a script fetches its part again every 10 s. `done`: what was a moment ago."""
    return await _answer(request, parts, viewer, "health.html", done)


@router.get("/health/facts")
async def health_facts(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """The facts alone."""
    return await _answer(request, parts, viewer, "health_facts.html")


async def _answer(
    request: Request, parts: Services, viewer: Viewer, template: str, done: str | None = None
) -> Response:
    state = request.app.state
    memo: Memo | None = getattr(state, "health_memo", None)
    if memo is None:
        memo = state.health_memo = Memo()
    found = await health(parts, memo)
    said = concerns(found)
    charts = {
        one.name: drift_chart(one.drift, one.threshold)
        for one in found.categories
        if one.drift is not None
    }
    return render(
        request,
        template,
        viewer,
        title="Health",
        done=done,
        health=found,
        concerns=said,
        overall=overall(found, said),
        charts=charts,
        drift_words=drift_words,
        losses=losses,
        is_silent=is_silent,
    )

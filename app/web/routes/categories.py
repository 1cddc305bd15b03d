"""All categories: whether they serve, with what, and how well they do."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from ...api.services import ServicesDep
from ...core.crew import beside
from ..category_page import cards
from ..page_route import PageRoute
from ..rendering import render
from ..viewers import ViewerDep

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)


@router.get("/categories")
async def categories(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """The page."""
    found = await beside(partial(cards, parts), "cards")
    return render(request, "categories.html", viewer, title="Categories", cards=found)

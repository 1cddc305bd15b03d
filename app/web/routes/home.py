"""/ and whatever is no page."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import RedirectResponse

from ..page_route import PageRoute

router = APIRouter(include_in_schema=False, route_class=PageRoute)
# Included last: it answers what no other route does.
rest = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)


@router.get("/")
@router.get("/page")
async def home() -> RedirectResponse:
    """To the page on which a day begins. Relative: it holds below a proxy's prefix."""
    return RedirectResponse("page/now", 303)


@rest.get("/{path:path}")
async def no_such_page() -> None:
    """404, as a page."""
    raise HTTPException(404, "there is no such page: choose one from the menu")

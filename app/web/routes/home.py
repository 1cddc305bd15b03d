"""/ and whatever is no page."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from ..page_route import PageRoute, up, who
from ..viewers import first_page

router = APIRouter(include_in_schema=False, route_class=PageRoute)
# Included last: it answers what no other route does.
rest = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)


@router.get("/")
@router.get("/page")
async def home(request: Request) -> RedirectResponse:
    """To the page on which a day begins. Relative: it holds below a proxy's prefix."""
    viewer = await who(request)
    return RedirectResponse(f"page/{first_page(viewer) if viewer else 'now'}", 303)


@rest.get("/{name}")
async def no_such_page() -> None:
    """404, as a page."""
    raise HTTPException(404, "there is no such page: choose one from the menu")


@rest.get("/{name}/{deeper:path}")
async def no_such_part(request: Request) -> RedirectResponse:
    """There is no page below another: to where a page can say so, with its style and its links."""
    return RedirectResponse(f"{up(request)}nowhere", 303)

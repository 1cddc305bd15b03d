"""Middleware: while the queue is full, photos are refused before anything is done for them.

The routes ask the queue as well. But getting there costs twice as much, and under overload most
requests are refused: the time must go to the photos that were let in.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from ...core.errors import Overloaded
from ..problems import refusal
from ..services import Services


class PhotoRoute(APIRoute):
    """A route that takes photos: a router's `route_class`."""

    async def refused(self, exc: Overloaded, scope: Scope) -> Response:
        """The answer while the queue is full."""
        return refusal(exc, scope["state"])


def photo_routes(*routers: APIRouter) -> list[PhotoRoute]:
    """The routes that take photos, of routers that are included under their own paths."""
    return [r for router in routers for r in router.routes if isinstance(r, PhotoRoute)]


class RefuseEarly:
    """429 for POSTs of photos while the queue is full, whoever asks and whatever for."""

    def __init__(self, app: ASGIApp, routes: Sequence[PhotoRoute]) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            parts: Services = scope["app"].state.services
            try:
                parts.inspector.check()
            except Overloaded as exc:
                if (asked := _asked(self._routes, scope)) is not None:
                    route, category = asked
                    scope["state"]["route"] = route.path  # as metrics name it: no router sees it
                    if category in parts.registry.entries:
                        scope["state"]["log"] = {"category": category}
                    answer = await route.refused(exc, scope)
                    await answer(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def _asked(routes: Sequence[PhotoRoute], scope: Scope) -> tuple[PhotoRoute, str | None] | None:
    """The route that takes the photos of this request, and the category in its path."""
    for route in routes:
        match, found = route.matches(scope)
        if match is Match.FULL:
            return route, found["path_params"].get("category")
    return None

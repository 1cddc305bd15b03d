"""Middleware: while the queue is full, photos are refused before anything is done for them.

The routes ask the queue as well. But getting there costs twice as much, and under overload most
requests are refused: the time must go to the photos that were let in.
"""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from ...core.errors import Overloaded
from ..intake.dependencies import Services
from ..problems import refusal

_PHOTOS = re.compile(r"/score(?:/(?P<category>[^/]+)(?P<batch>/batch)?)?")


def photos_route(path: str) -> tuple[str, str | None] | None:
    """The route that takes photos at this path, as metrics name it, and the category in the path;
    None where no route takes photos."""
    found = _PHOTOS.fullmatch(path)
    if found is None:
        return None
    if found["category"] is None:
        return "/score", None
    return "/score/{category}" + (found["batch"] or ""), found["category"]


class RefuseEarly:
    """429 for POSTs of photos while the queue is full, whoever asks and whatever for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            asked = photos_route(scope["path"].removeprefix(scope.get("root_path", "")))
            if asked is not None:
                parts: Services = scope["app"].state.services
                try:
                    parts.workers.check()
                except Overloaded as exc:
                    state, (route, category) = scope["state"], asked
                    state["route"] = route
                    if category in parts.registry.entries:
                        state["log"] = {"category": category}
                    await refusal(exc, state)(scope, receive, send)
                    return
        await self._app(scope, receive, send)

"""The page as a whole: its routes, and what they share."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.types import Scope as ASGIScope

from ..access.keys import Scope
from ..api.problems import Forbidden, refusal
from ..settings import Settings
from .ended import FILE
from .page_route import refused
from .routes import (
    categories,
    category,
    deletion,
    health,
    history,
    home,
    login,
    now,
    review,
    review_parts,
    trying,
    verdict,
)
from .secret import session_secret
from .sessions import Sessions
from .viewers import needs

# Each page with the scope that it needs.
_PAGES: tuple[tuple[APIRouter, Scope], ...] = (
    (now.router, "review"),
    (review.router, "review"),
    (review_parts.router, "review"),
    (history.router, "review"),
    (verdict.router, "review"),
    (deletion.router, "admin"),
    (trying.router, "score"),
    (categories.router, "review"),
    (category.router, "review"),
    (health.router, "review"),
)

# Those that take photos, which are refused early while the queue is full.
takes_photos = (trying.router,)


def to_stranger(scope: ASGIScope, exc: Forbidden) -> Response:
    """The answer to whoever may not ask from where they are: a page to people."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if path == "/" or path.startswith("/page"):
        return refused(Request(scope), exc, None)
    return refusal(exc, scope["state"])


# To be included after all else below /page.
rest = home.rest


def install(app: FastAPI, settings: Settings) -> None:
    """Add the page to an application, but for `rest`."""
    folder = settings.records_dir if settings.records == "on" else None
    secret = session_secret(settings.session_secret, folder)
    ended = folder / FILE if folder else None
    app.state.sessions = Sessions(secret, settings.session_hours * 3600, ended)
    app.include_router(home.router)
    app.include_router(login.router)
    for router, scope in _PAGES:
        app.include_router(router, dependencies=[Depends(needs(scope))])

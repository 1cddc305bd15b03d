"""The page as a whole: its routes, and what they share."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI

from ..access.keys import Scope
from ..settings import Settings
from .routes import categories, category, deletion, history, home, login, verdict
from .secret import session_secret
from .sessions import Sessions
from .viewers import needs

# Each page with the scope that it needs.
_PAGES: tuple[tuple[APIRouter, Scope], ...] = (
    (history.router, "review"),
    (verdict.router, "review"),
    (deletion.router, "admin"),
    (categories.router, "review"),
    (category.router, "review"),
)


# To be included after all else below /page.
rest = home.rest


def install(app: FastAPI, settings: Settings) -> None:
    """Add the page to an application, but for `rest`."""
    folder = settings.records_dir if settings.records == "on" else None
    secret = session_secret(settings.session_secret, folder)
    app.state.sessions = Sessions(secret, settings.session_hours * 3600)
    app.include_router(home.router)
    app.include_router(login.router)
    for router, scope in _PAGES:
        app.include_router(router, dependencies=[Depends(needs(scope))])

"""Who looks at a page, what they may see, and whether a change comes from the page itself."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Query, Request

from ..access.keys import Scope
from ..api.middleware.local import stranger
from ..api.problems import BadUpload, Forbidden, Unauthorised
from ..api.services import Services, ServicesDep
from .sessions import COOKIE, Session, Sessions

# Whose review it is where there are no keys: as the API says it.
ANYONE = "anyone"
_PORT = re.compile(r":\d+$")


class NotLoggedIn(Unauthorised):
    """Nobody has logged in, or the session is over."""


class ForeignForm(Forbidden):
    """A change that was not sent by a page of this service, or by one from before a login."""


class BadForm(BadUpload):
    """A form that cannot be read."""


class Viewer:
    """Who looks at a page.

    Attributes:
        session: None where there are no keys: everyone of this machine then.
        token: what changes send along.
    """

    def __init__(self, session: Session | None, token: str) -> None:
        self.session, self.token = session, token

    @property
    def name(self) -> str:
        """Who a review is by: the key's name."""
        return self.session.key.name if self.session else ANYONE

    def may(self, scope: Scope) -> bool:
        """Whether they have the scope. Where there are no keys, everyone has."""
        return self.session is None or self.session.key.allows(scope)


def first_page(viewer: Viewer) -> str:
    """The page on which somebody's day begins: the first that they may see."""
    return "now" if viewer.may("review") else "try"


def sessions(request: Request) -> Sessions:
    """The application's."""
    made: Sessions = request.app.state.sessions
    return made


async def current(request: Request, parts: ServicesDep) -> Viewer:
    """A dependency: who looks.

    Raises:
        NotLoggedIn: there are keys, and no session.
        Forbidden: there are none, and the request is not of this machine.
    """
    known = sessions(request)
    if not parts.settings.needs_key:
        if why := stranger(request.scope, parts.settings.cors_origins):
            raise Forbidden(f"without API keys the page is this machine's alone, and {why}")
        return Viewer(None, known.token(None))
    session = await session_of(request, parts)
    if session is None:
        raise NotLoggedIn("log in with an API key")
    request.state.key_name = session.key.name
    return Viewer(session, known.token(session))


async def session_of(request: Request, parts: Services) -> Session | None:
    """The session of the request's cookie, of the keys as they are now."""
    await parts.keys.refresh()
    cookie = request.cookies.get(COOKIE, "")
    return sessions(request).find(cookie, parts.keys) if cookie else None


ViewerDep = Annotated[Viewer, Depends(current)]


def needs(scope: Scope) -> Callable[..., Awaitable[None]]:
    """A dependency that lets through whoever has the scope.

    Raises:
        Forbidden: the key lacks it.
    """

    async def check(viewer: ViewerDep) -> None:
        if not viewer.may(scope):
            raise Forbidden(
                f"the key {viewer.name!r} lacks the scope {scope!r}: log in with one that has it"
            )

    return check


def check_origin(request: Request) -> None:
    """Refuse what another site's page sends.

    Raises:
        ForeignForm: the Origin header names another host, or none is sent.
    """
    origin = request.headers.get("origin", "")
    host = request.headers.get("host", "")
    try:
        sender = urlsplit(origin).netloc.lower()
    except ValueError:  # of no address at all
        sender = ""
    # A proxy may hand on the Host without its port.
    if not sender or host.lower() not in (sender, _PORT.sub("", sender)):
        raise ForeignForm(
            "this change was not sent by a page of this service, so nothing was done: open the "
            "page by its own address and try again"
        )


async def change(
    request: Request,
    viewer: ViewerDep,
    csrf: Annotated[str, Query(max_length=200)] = "",
) -> None:
    """A dependency of every route that changes something or costs something: the request comes from
    this service's page, and from this session's. The token stands in the header X-CSRF-Token, or in
    a form's address.

    Raises:
        ForeignForm: it does not.
    """
    check_origin(request)
    given = request.headers.get("x-csrf-token", "") or csrf
    if not hmac.compare_digest(given.encode("utf-8", "replace"), viewer.token.encode()):
        raise ForeignForm("the page is older than your login: load it again, nothing was done")

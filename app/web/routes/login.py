"""In and out: an API key becomes a session."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from ...api.middleware.local import stranger
from ...api.problems import Forbidden, RateLimited, Unauthorised
from ...api.security import key_of
from ...api.services import ServicesDep
from ..forms import read_form
from ..page_route import PageRoute
from ..rendering import render
from ..sessions import COOKIE
from ..viewers import (
    Viewer,
    ViewerDep,
    change,
    check_origin,
    first_page,
    session_of,
    sessions,
)

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)

# A page of ours and its filters, never another site.
_NEXT = re.compile(r"[a-z]+(\?[\w.~%&=+:-]*)?")
_HOME = "now"

Next = Annotated[str, Query(max_length=2000)]


@router.get("/login")
async def login_form(request: Request, parts: ServicesDep, next: Next = _HOME) -> Response:  # noqa: A002
    """The form; whoever needs none is sent on."""
    if not parts.settings.needs_key:
        if why := stranger(request.scope, parts.settings.cors_origins):
            raise Forbidden(f"without API keys the page is this machine's alone, and {why}")
        return RedirectResponse(_safe(next), 303)
    if await session_of(request, parts) is not None:
        return RedirectResponse(_safe(next), 303)
    return _form(request, _safe(next))


@router.post("/login")
async def login(request: Request, parts: ServicesDep, next: Next = _HOME) -> Response:  # noqa: A002
    """Take the key and begin a session. Wrong keys are counted as the API counts them."""
    check_origin(request)
    given = (await read_form(request)).get("key", "").strip()
    if not parts.settings.needs_key:
        return RedirectResponse(_safe(next), 303)
    if not given:
        return _form(request, _safe(next), "Type or paste an API key.", 422)
    try:
        key = await key_of(request, parts, given.encode())
    except Unauthorised:
        request.state.problem = "unauthorised"
        return _form(request, _safe(next), "This key is not known here, or has expired.", 401)
    except RateLimited as exc:
        request.state.problem = "rate-limited"
        wait = f"Too many wrong keys came from this address. Try again in {exc.retry_after} s."
        return _form(request, _safe(next), wait, 429, {"Retry-After": str(exc.retry_after)})
    request.state.key_name = key.name
    session, cookie = sessions(request).begin(key)
    wanted = _safe(next)
    if wanted == _HOME:
        wanted = first_page(Viewer(session, ""))
    answer = RedirectResponse(wanted, 303)
    _set(request, answer, cookie, int(session.ends - sessions(request).now()))
    return answer


@router.post("/logout", dependencies=[Depends(change)])
async def logout(request: Request, viewer: ViewerDep) -> Response:
    """End the session, in the browser and here."""
    if viewer.session is not None:
        sessions(request).end(viewer.session)
    answer = RedirectResponse("login", 303)
    _set(request, answer, "", 0)
    return answer


def _set(request: Request, answer: Response, value: str, seconds: int) -> None:
    # No path: the browser takes that of /page/…, below whichever prefix, so that the API's own
    # paths never get the cookie.
    answer.set_cookie(
        COOKIE,
        value,
        max_age=seconds,
        path=None,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _form(
    request: Request,
    wanted: str,
    fault: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return render(
        request,
        "login.html",
        None,
        status=status,
        headers=headers,
        title="Log in",
        wanted=wanted,
        fault=fault,
    )


def _safe(wanted: str) -> str:
    return wanted if _NEXT.fullmatch(wanted) and not wanted.startswith("log") else _HOME

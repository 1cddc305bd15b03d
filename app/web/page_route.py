"""A page's errors as pages: the same causes and statuses as the API's, for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from fastapi import HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from ..api.problems import Problem, RequestError, problem, refusal
from ..api.services import services
from .rendering import render
from .viewers import NotLoggedIn, Viewer, current

log = structlog.get_logger()

# `query.name: ` before what is wrong with it, or, of a choice, `query.name: name `.
_PLACE = re.compile(r"\b(?:query|path)\.(\w+): (?:\1 )?")
_SEE = re.compile(r" \(see (?:GET|POST) [^)]*\)")
_PAGE = re.compile(r"/page/([a-z]+)/?$")


class PageRoute(APIRoute):
    """A route whose errors are told as HTML: a whole page to a browser that goes there, a line to
    a script of ours, which shows it where the work was asked for."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answer_for_people(request: Request) -> Response:
            if (elsewhere := _tidy(request)) is not None:
                return RedirectResponse(elsewhere, 303)
            try:
                return await answer(request)
            except ClientDisconnect:
                raise
            except Exception as exc:
                return refused(request, exc, await who(request))

        return answer_for_people


def is_script(request: Request) -> bool:
    """Whether a script of ours asks, and so for a part of a page, or for a stream of events."""
    headers = request.headers
    return "hx-request" in headers or "text/event-stream" in headers.get("accept", "")


def refused(request: Request, exc: Exception, viewer: Viewer | None) -> Response:
    """The answer to an error, for people."""
    if isinstance(exc, NotLoggedIn) and not is_script(request):
        request.state.problem = "unauthorised"
        login = f"{up(request)}login?next={quote(_address(request), safe='')}"
        return RedirectResponse(login, 303)
    said, headers = told(request, exc)
    template = "refusal_part.html" if is_script(request) else "refusal.html"
    return render(
        request,
        template,
        viewer,
        status=said.status,
        headers=headers,
        title=said.title,
        problem=said,
        has_keys=services(request).settings.needs_key,
        back=_came_from(request),
    )


def told(request: Request, exc: Exception) -> tuple[Problem, dict[str, str]]:
    """What is said of an error, and the headers of the answer that says it; its name is left for
    log and metrics."""
    if isinstance(exc, HTTPException):
        said = Problem(
            type="about:blank",
            title="No such page" if exc.status_code == 404 else "Not possible",
            status=exc.status_code,
            detail=str(exc.detail),
            request_id=request.state.request_id,
        )
        return said, dict(exc.headers or {})
    said = problem(exc, request.state.request_id)
    said = said.model_copy(update={"detail": for_people(said.detail)})
    plain = refusal(exc, request.scope["state"])  # its headers, its name for the log
    if said.status == 500:
        log.exception("unforeseen error", path=request.scope["path"])
    wanted = ("retry-after", "connection")
    return said, {name: plain.headers[name] for name in wanted if name in plain.headers}


def for_people(detail: str) -> str:
    """What the API says of an error, without what only programs can make use of."""
    return _PLACE.sub(r"“\1” in the address ", _SEE.sub("", detail))


async def who(request: Request) -> Viewer | None:
    """Who looks, for the menu; nobody where that is the problem."""
    try:
        return await current(request, services(request))
    except RequestError:
        return None


def _below(request: Request) -> list[str]:
    """The parts of the address as it was sent, below /page; an empty one after a last slash."""
    sent: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return sent.split(b"?")[0].decode("latin-1").partition("/page")[2].split("/")[1:]


def up(request: Request) -> str:
    """From the address as it was sent to /page/."""
    return "../" * (len(_below(request)) - 1)


def _tidy(request: Request) -> str | None:
    """Where a visit with a slash too many belongs: all that a page names is named from /page/."""
    parts = _below(request)
    if request.method != "GET" or is_script(request) or not parts or parts[-1]:
        return None
    named = next((part for part in parts if part), "now")
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{up(request)}{quote(named)}{query}"


def _came_from(request: Request) -> str | None:
    """The page of ours from which somebody came, to go back to."""
    try:
        came = urlsplit(request.headers.get("referer", ""))
    except ValueError:  # no address at all
        return None
    page = _PAGE.search(came.path)
    if came.netloc.lower() != request.headers.get("host", "").lower() or page is None:
        return None
    address = f"{page[1]}?{came.query}" if came.query else page[1]
    return None if "csrf=" in came.query or address == _address(request) else address


def _address(request: Request) -> str:
    """The page that was asked for, without what stands before /page/."""
    name = next((part for part in _below(request) if part), "now")
    return f"{name}?{request.url.query}" if request.url.query else name

"""Middleware: what HTTP clients take for granted of every path, whichever routes there are."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class TrailingSlash:
    """A path with a slash at its end is the path without: a redirect would lose the photo.

    Outside of all that looks at paths.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/"):
            path = scope["path"][:-1]
            if path.removeprefix(scope.get("root_path", "")):
                scope = {**scope, "path": path}
        await self._app(scope, receive, send)


def is_head(request: Request) -> bool:
    """Whether nobody will see the body."""
    return getattr(request.state, "is_head", False)


class _Answered(Exception):
    """All of an answer to HEAD is sent."""


class HeadAsGet:
    """HEAD is answered as GET is, without the body (RFC 9110, 9.3.2).

    Inside of what logs and counts, which is to see the method that was sent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            await send({"type": "http.response.body", "body": b""})
            if message.get("more_body", False):
                raise _Answered  # what makes the rest, perhaps without end, need not go on

        # A copy: the server looks at its own to know that no body follows. Its state is shared, and
        # tells routes whose body would take long to make.
        scope.setdefault("state", {})["is_head"] = True
        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive, send_without_body)
        except _Answered:
            pass
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]

"""Middleware: WebSockets are refused. No route speaks them, and no gate looks at them."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

_POLICY_VIOLATION = 1008


class NoWebSockets:
    """Outermost middleware: closed before it is accepted, which a server answers with a 403."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

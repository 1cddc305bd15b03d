"""Security headers on every answer, errors included."""

from __future__ import annotations

import inspect
from urllib.parse import urlsplit

from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
# An answer is about one photo or one moment: nothing to keep, and no page at all.
_API = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def _origin(page: object, parameter: str) -> str:
    """Where FastAPI's page loads a file from: asked of FastAPI, so that both change together."""
    url = urlsplit(inspect.signature(page).parameters[parameter].default)  # type: ignore[arg-type]
    return f"{url.scheme}://{url.netloc}"


_SWAGGER = _origin(get_swagger_ui_html, "swagger_js_url")
_REDOC = _origin(get_redoc_html, "redoc_js_url")
_ICONS = _origin(get_swagger_ui_html, "swagger_favicon_url")

# FastAPI's pages start by an inline script, in which nothing of a request stands.
_PAGES = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            f"script-src 'unsafe-inline' {_SWAGGER} {_REDOC}",
            f"style-src 'unsafe-inline' {_SWAGGER}",
            f"img-src 'self' data: {_ICONS}",
            "worker-src blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
}


class SecurityHeaders:
    """Outermost middleware, so that no answer is without them; a route's own values stand."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Nothing but the documentation is HTML.
                is_page = headers.get("content-type", "").startswith("text/html")
                for name, value in (_ALWAYS | (_PAGES if is_page else _API)).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)

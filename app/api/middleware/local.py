"""Without API keys the service answers its own machine only: what counts as that, and the gate."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..problems import Forbidden, refusal

# An orchestrator's probes may come from anywhere, and learn nothing worth hiding.
_PROBES = ("/livez", "/readyz")
# Headers that only a proxy sends; they do not say plainly for whom.
_PROXIES_ONLY = ("forwarded", "via", "x-forwarded-host", "x-forwarded-proto")
_PORT = re.compile(r":\d*$")
_SCHEME = re.compile(r"^https?://")


def stranger(scope: Scope, allowed_origins: Sequence[str] = ()) -> str | None:
    """Why a request is not one of this machine's own; None where it is one.

    The connection alone does not say it: a proxy or a web page on this machine, too, connects from
    a loopback address on behalf of others.
    """
    client, headers = scope.get("client"), Headers(scope=scope)
    if client is not None and not _is_loopback(client[0]):  # None: a Unix socket
        return "this request comes from another one"
    if _is_handed_on(headers):
        return "this request comes from another one, through a proxy"
    # A page whose own name is made to lead to this machine (DNS rebinding) gives itself away here.
    if not _is_own_name(headers.get("host", "")):
        return "the request's Host header names another one"
    origin = headers.get("origin")
    if origin is None or origin in allowed_origins or _is_own_name(_SCHEME.sub("", origin)):
        return None
    return "this request comes from another site's page"


def _is_handed_on(headers: Headers) -> bool:
    """Whether a proxy says that it hands the request on for someone who is not on this machine.

    A proxy that says nothing cannot be told from a program of this machine's own.
    """
    clients = [*headers.getlist("x-forwarded-for"), *headers.getlist("x-real-ip")]
    addresses = [part.strip() for part in ",".join(clients).split(",") if part.strip()]
    if addresses:
        return not all(map(_is_loopback, addresses))
    return any(name in headers for name in _PROXIES_ONLY)


def _is_loopback(address: str) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback


def _is_own_name(host: str) -> bool:
    """Whether a Host leads here from everywhere: localhost, or a loopback address."""
    name = _PORT.sub("", host).lower()
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name.strip("[]"))


class OwnMachineOnly:
    """Middleware: 403 for strangers, on every path but the probes."""

    def __init__(
        self,
        app: ASGIApp,
        allowed_origins: Sequence[str],
        refuse: Callable[[Scope, Forbidden], Response] = lambda scope, exc: refusal(
            exc, scope["state"]
        ),
    ) -> None:
        """Takes the origins whose pages may ask, and what makes the answer to a stranger."""
        self._app, self._allowed_origins, self._refuse = app, allowed_origins, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            why = None if path in _PROBES else stranger(scope, self._allowed_origins)
            if why is not None:
                await self._refuse(scope, _forbidden(why))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _forbidden(why: str) -> Forbidden:
    return Forbidden(
        f"without API keys the service answers its own machine only, and {why}; set "
        "GOODSGUARD_API_KEYS or GOODSGUARD_API_KEYS_FILE, or GOODSGUARD_ALLOW_ANONYMOUS=true to "
        "answer everyone"
    )

"""Who may ask for what: API keys, their scopes, and a limit on requests per minute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from ..access.keys import ApiKey, Scope
from .middleware.local import stranger
from .problems import Forbidden, RateLimited, Unauthorised
from .services import Services, ServicesDep

_api_key = APIKeyHeader(name="X-API-Key", auto_error=False)
_bearer = HTTPBearer(auto_error=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the holder of a key, or None where the service has no keys."""

    key: ApiKey | None


async def identify(
    request: Request,
    parts: ServicesDep,
    api_key: Annotated[str | None, Security(_api_key)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller:
    """Know the caller by the key in `X-API-Key` or the Bearer token, and count the request.

    FastAPI asks once a request, however many scopes its route needs.

    Raises:
        Unauthorised: no key, an unknown or an expired one.
        RateLimited: more requests than the caller may send, or more wrong keys.
    """
    key = None
    if parts.settings.needs_key:
        given = api_key or (bearer.credentials if bearer else "")
        # Headers are decoded as latin-1: these are the bytes that were sent.
        key = await key_of(request, parts, given.encode("latin-1", "replace"))
        request.state.key_name = key.name
    count(request, parts, key)
    return Caller(key)


async def key_of(request: Request, parts: Services, given: bytes) -> ApiKey:
    """The key that was sent, looked at only while its address may try some.

    Raises:
        Unauthorised: no key, an unknown or an expired one.
        RateLimited: more wrong keys than the address may send.
    """
    address = _network(request)
    if seconds := parts.wrong_keys.wait(address, given):
        what = "wrong keys" if given else "requests without a key"
        raise RateLimited(f"too many {what} came from this address", retry_after=seconds)
    await parts.keys.refresh()
    key = parts.keys.find(given)
    if key is None:
        parts.wrong_keys.wrong(address, given)
        raise Unauthorised("send a valid key in the X-API-Key header, or as a Bearer token")
    parts.wrong_keys.right(address, given)
    return key


def count(request: Request, parts: Services, key: ApiKey | None) -> None:
    """Count a request of the key's holder, or of the address where there are no keys.

    Raises:
        RateLimited: more than they may send.
    """
    limit = parts.settings.rate_limit
    if key is not None and key.requests_per_minute is not None:
        limit = key.requests_per_minute
    client = f"key {key.name}" if key is not None else _network(request)
    if seconds := parts.limiter.take(client, limit):
        raise RateLimited(f"more than {limit} requests in a minute", retry_after=seconds)


def _network(request: Request) -> str:
    """The client's address; of IPv6 its /64, since a single machine has all of that."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return str(address)


CallerDep = Annotated[Caller, Depends(identify)]


def require_scope(scope: Scope) -> Callable[..., Awaitable[None]]:
    """A dependency that lets through keys with the scope, and everyone where there are no keys.

    Who is everyone then is `OwnMachineOnly`'s business.

    Raises:
        Forbidden: the key lacks the scope.
    """

    async def check(caller: CallerDep) -> None:
        if caller.key is not None and not caller.key.allows(scope):
            raise Forbidden(f"the key {caller.key.name!r} lacks the scope {scope!r}")

    return check


require_score = require_scope("score")


def require_trusted(scope: Scope, deed: str) -> Callable[..., Awaitable[None]]:
    """A dependency that lets through keys with the scope; without keys, requests of this machine
    alone.

    Stricter than `require_scope`: GOODSGUARD_ALLOW_ANONYMOUS opens nothing here.

    Args:
        deed: what it opens, as a refusal says it: "only this machine may …".

    Raises:
        Forbidden: the key lacks the scope, or a stranger asks where there are no keys.
    """

    async def check(request: Request, parts: ServicesDep, caller: CallerDep) -> None:
        if caller.key is not None:
            if not caller.key.allows(scope):
                raise Forbidden(f"the key {caller.key.name!r} lacks the scope {scope!r}")
        elif why := stranger(request.scope, parts.settings.cors_origins):
            raise Forbidden(f"without API keys only this machine may {deed}, and {why}")

    return check


require_admin = require_trusted("admin", "administer")
# Photos may show people: not for everyone who may have one scored.
require_review = require_trusted("review", "see what was recorded")

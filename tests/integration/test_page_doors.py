"""Every route of the page: who is let in, and that whatever is sent to it comes from the page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi.routing import APIRoute

from app.api.routes import verdict_files, verdict_photos
from app.web import pages
from app.web.routes import home, login
from tests.integration.service import Service, serve
from tests.integration.test_page_login import KEYS, OURS, SETTING, log_in, shown, token_in

pytestmark = pytest.mark.anyio

SCOPES = ("score", "review", "admin")
# What opens without a session: the way in, and what says that there is no such page.
OPEN = {"/page", "/page/login", "/page/logout", "/page/{name}", "/page/{name}/{deeper:path}"}
ADMIN = {
    ("GET", "/page/delete"),
    ("GET", "/page/deleted"),
    ("POST", "/page/delete"),
    ("POST", "/page/threshold"),
    ("POST", "/page/rollback"),
    ("POST", "/page/evaluation"),
    ("POST", "/page/reload"),
    ("GET", "/page/rollback"),
    ("GET", "/page/threshold"),
}
# A stream that does not end, and files that are asked for without a body here.
SLOW = {"/page/now/events"}


def routes() -> Iterator[tuple[str, str]]:
    ours = [router for router, _ in pages._PAGES]
    both = ((verdict_photos.router, "/page"), (verdict_files.router, "/page"))
    for router, prefix in (*((one, "") for one in (*ours, login.router, home.rest)), *both):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                yield method, f"{prefix}{route.path}"


def scope_of(method: str, path: str) -> str | None:
    if path in OPEN:
        return None
    if path.startswith("/page/try"):
        return "score"
    return "admin" if (method, path) in ADMIN else "review"


def address(path: str) -> str:
    return re.sub(r"\{id[^}]*\}", "019ac000-0000-7000-8000-000000000000", path)


@pytest.fixture(scope="module")
async def keyed(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    root = tmp_path_factory.mktemp("doors")
    async with serve(root, api_keys=SETTING, records="on") as running:
        yield running


async def as_one_with(service: Service, scope: str) -> tuple[httpx.AsyncClient, str]:
    transport = httpx.ASGITransport(service.app)
    client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
    await log_in(client, KEYS[scope])
    return client, token_in(await shown(client))


async def test_every_door_has_its_scope(keyed: Service) -> None:
    found = set(routes())
    assert len(found) > 25
    for number, scope in enumerate(SCOPES):
        client, token = await as_one_with(keyed, scope)
        for method, path in sorted(found):
            needed = scope_of(method, path)
            if needed is None or (path in SLOW and SCOPES.index(needed) <= number):
                continue
            answer = await client.request(
                method, address(path), headers=OURS | {"X-CSRF-Token": token}
            )
            is_shut = answer.status_code == 403
            assert is_shut == (SCOPES.index(needed) > number), (method, path, scope)


async def test_without_a_session_no_door_opens(keyed: Service) -> None:
    transport = httpx.ASGITransport(keyed.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path in sorted(routes()):
            if path in OPEN:
                continue
            answer = await client.request(method, address(path), headers=OURS)
            is_shut = answer.status_code == 401 or "login?next=" in answer.headers["location"]
            assert is_shut, (method, path, answer.status_code)


@pytest.mark.parametrize(
    ("origin", "token"),
    [(None, True), ("http://evil.example", True), ("http://localhost", False)],
    ids=["no origin", "another site", "no token"],
)
async def test_whatever_is_sent_comes_from_the_page(
    keyed: Service, origin: str | None, token: bool
) -> None:
    client, own = await as_one_with(keyed, "admin")
    sent = [(m, p) for m, p in sorted(routes()) if m not in ("GET", "HEAD")]
    assert len(sent) >= 8
    for method, path in sent:
        headers = {"Origin": origin} if origin else {}
        if token:
            headers["X-CSRF-Token"] = own
        if path == "/page/login" and origin == "http://localhost":
            continue  # a form from before any session has no token
        answer = await client.request(method, address(path), headers=headers)
        assert answer.status_code == 403, (method, path)
        assert "nothing was done" in answer.text, (method, path)

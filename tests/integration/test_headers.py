"""What every answer carries: security headers, CORS where it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from app import __version__
from app.api.middleware.headers import SecurityHeaders
from tests.integration.service import GOOD, Service, assert_problem, serve

pytestmark = pytest.mark.anyio

SHOP, OTHER = "https://shop.example", "https://other.example"
CALLS = [
    ("GET", "/livez", 200),
    ("GET", "/categories", 200),
    ("GET", "/docs", 200),
    ("GET", "/static/swagger-ui/swagger-ui.css", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/nowhere", 404),
    ("GET", "/score/can", 405),
    ("POST", "/score/can", 415),
]


@pytest.fixture(scope="module")
async def shared(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    async with serve(tmp_path_factory.mktemp("shared"), cors_origins=(SHOP,)) as running:
        yield running


@pytest.mark.parametrize(("method", "path", "status"), CALLS)
async def test_every_answer_is_guarded(
    service: Service, method: str, path: str, status: int
) -> None:
    answer = await service.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    if path != "/openapi.json":
        assert __version__ not in answer.text
    assert "access-control-allow-origin" not in answer.headers


async def test_scores_are_not_kept(service: Service) -> None:
    for answer in (await service.score(GOOD), await service.score(b"no image")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; frame-ancestors 'none'"
        )


async def test_a_later_page_may_have_a_policy_of_its_own() -> None:
    """What a route sets stands; what it does not set is as strict as ever."""

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        own = {"Content-Security-Policy": "script-src 'self'"}
        await HTMLResponse("<p>", headers=own)(scope, receive, send)

    transport = httpx.ASGITransport(SecurityHeaders(page))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/")
    assert answer.headers["content-security-policy"] == "script-src 'self'"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"


async def test_no_page_may_ask_by_default(service: Service) -> None:
    answer = await service.client.options(
        "/categories",
        headers={"Origin": "http://localhost", "Access-Control-Request-Method": "GET"},
    )
    assert_problem(answer, 405, "method-not-allowed")


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization", "Content-Type", "X-Request-ID"])
async def test_an_allowed_origin_may_ask(shared: Service, header: str) -> None:
    ask = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": header,
    }
    answer = await shared.client.options("/score/can", headers=ask)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "access-control-allow-credentials" not in answer.headers
    answer = await shared.client.get("/categories", headers={"Origin": SHOP})
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", [OTHER, "https://shop.example.evil", "http://shop.example", "null"]
)
async def test_no_other_origin_may(shared: Service, origin: str) -> None:
    ask = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = await shared.client.options("/score/can", headers=ask)
    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers
    answer = await shared.client.get("/categories", headers={"Origin": origin})
    assert_problem(answer, 403, "forbidden")
    assert "access-control-allow-origin" not in answer.headers


async def test_an_allowed_page_can_read_errors_and_when_to_come_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def fail() -> None:
        raise KeyError("/secret/path")

    root = tmp_path_factory.mktemp("failing")
    async with serve(root, cors_origins=(SHOP,)) as service:
        service.network.before = fail
        answer = await service.client.post(
            "/score/can", files={"file": GOOD}, headers={"Origin": SHOP}
        )
    assert_problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_validation_error_does_not_repeat_what_was_sent(service: Service) -> None:
    answer = await service.client.post(
        "/score/can", params={"heatmap": "<script>" * 500}, files={"file": GOOD}
    )
    body = assert_problem(answer, 422, "invalid-request")
    assert "script" not in body["detail"]
    answer = await service.client.get(f"/categories/{'x' * 5000}")
    assert "xxx" not in assert_problem(answer, 422, "invalid-request")["detail"]

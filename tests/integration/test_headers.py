"""What every answer carries: security headers, CORS where it is asked for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from app import __version__
from tests.integration.service import GOOD, Service, assert_problem, serve

pytestmark = pytest.mark.anyio

SHOP, OTHER = "https://shop.example", "https://other.example"
CALLS = [
    ("GET", "/livez", 200),
    ("GET", "/categories", 200),
    ("GET", "/docs", 200),
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


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_documentations_pages_may_load_what_they_name(
    service: Service, path: str
) -> None:
    answer = await service.client.get(path)
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    scripts = re.findall(r'<script[^>]* src="([^"]+)"', answer.text)
    assert scripts
    for url in scripts:
        assert f"https://{urlsplit(url).netloc}" in policy["script-src"].split()
    for url in re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="([^"]+)"', answer.text):
        if "fonts" not in url:  # the page does without
            assert f"https://{urlsplit(url).netloc}" in policy["style-src"].split()
    for url in re.findall(r'<link rel="shortcut icon" href="([^"]+)"', answer.text):
        assert f"https://{urlsplit(url).netloc}" in policy["img-src"].split()
    assert policy["connect-src"] == "'self'"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"])
async def test_the_documentation_can_be_switched_off(
    tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    async with serve(tmp_path_factory.mktemp("plain"), docs=False) as service:
        assert_problem(await service.client.get(path), 404, "not-found")


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

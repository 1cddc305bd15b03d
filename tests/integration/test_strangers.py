"""Without API keys: this machine alone, unless everyone is let in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Depends
from structlog.testing import capture_logs

from app.api.security import require_admin
from tests.integration.service import GOOD, Json, Service, assert_problem, serve

pytestmark = pytest.mark.anyio

PATHS = ["/categories", "/evaluate", "/metrics", "/docs", "/openapi.json", "/nowhere"]
FAR, NEAR = ("192.168.1.2", 50_000), ("127.0.0.1", 50_000)


def client(service: Service, address: tuple[str, int] | None, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(service.app, client=address)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


@pytest.fixture(scope="module")
async def open_(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    async with serve(
        tmp_path_factory.mktemp("open"), allow_anonymous=True, rate_limit=5
    ) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
async def test_another_machine_is_told_what_to_do(service: Service, path: str) -> None:
    async with client(service, FAR) as far:
        body = assert_problem(await far.get(path), 403, "forbidden")
    assert "GOODSGUARD_ALLOW_ANONYMOUS" in body["detail"]
    assert "GOODSGUARD_API_KEYS" in body["detail"]


async def test_another_machine_scores_nothing(service: Service) -> None:
    async with client(service, FAR, **{"X-API-Key": "whatever"}) as far:
        answer = await far.post("/score/can", files={"file": GOOD})
    assert_problem(answer, 403, "forbidden")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_answer_everyone(service: Service, path: str) -> None:
    async with client(service, FAR, Host="shop.example") as far:
        assert (await far.get(path)).status_code == 200


@pytest.mark.parametrize("address", [NEAR, ("::1", 1), None], ids=str)
async def test_this_machine_may(service: Service, address: tuple[str, int] | None) -> None:
    async with client(service, address, **{"X-API-Key": "whatever"}) as near:
        assert (await near.get("/categories")).status_code == 200
        assert (await near.post("/score/can", files={"file": GOOD})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "shop.example"},
        {"Origin": "https://shop.example"},
        {"X-Forwarded-For": "8.8.8.8"},
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_a_stranger_behind_this_machine_is_one_too(
    service: Service, headers: dict[str, str]
) -> None:
    async with client(service, NEAR, **headers) as near:
        answer = await near.post("/score/can", files={"file": GOOD})
    assert_problem(answer, 403, "forbidden")


async def test_refusals_are_logged_and_counted(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("logged")
    async with serve(root, log_level="info") as service, client(service, FAR) as far:
        with capture_logs() as logs:
            await far.get("/categories")
        (line,) = [line for line in logs if line["event"] == "request"]
        assert (line["status"], line["problem"]) == (403, "forbidden")
        assert await service.metric("goodsguard_problems_total", type="forbidden") == 1


async def test_everyone_may_where_that_is_asked_for(open_: Service) -> None:
    async with client(open_, FAR, Host="shop.example", Origin="https://shop.example") as far:
        assert (await far.post("/score/can", files={"file": GOOD})).status_code == 200
        assert (await far.post("/evaluate/can?wait=true")).status_code == 200


async def test_without_keys_each_address_has_its_own_limit(open_: Service) -> None:
    async def statuses(address: str, number: int) -> list[int]:
        async with client(open_, (address, 1)) as asker:
            return [(await asker.get("/categories")).status_code for _ in range(number)]

    assert await statuses("10.0.0.1", 6) == [200] * 5 + [429]
    assert await statuses("10.0.0.2", 1) == [200]
    # One machine has a whole /64 of IPv6 addresses to ask from.
    assert await statuses("2001:db8::1", 5) == [200] * 5
    assert await statuses("2001:db8::2", 1) == [429]
    assert await statuses("2001:db8:0:1::1", 1) == [200]


@pytest.mark.parametrize(
    ("settings", "key", "near", "far"),
    [
        ({}, "", 200, 403),
        ({"allow_anonymous": True}, "", 200, 403),
        ({"api_keys": ("a key of the scope score",)}, "a key of the scope score", 403, 403),
        ({"api_keys": (f"owner:admin:sha256:{'0' * 64}",)}, "wrong", 401, 401),
    ],
)
async def test_administration(
    tmp_path_factory: pytest.TempPathFactory,
    settings: Json,
    key: str,
    near: int,
    far: int,
) -> None:
    router = APIRouter(dependencies=[Depends(require_admin)])
    router.add_api_route("/admin/probe", lambda: "done")
    async with serve(tmp_path_factory.mktemp("admin"), **settings) as service:
        service.app.include_router(router)
        for address, expected in ((NEAR, near), (FAR, far)):
            async with client(service, address, **{"X-API-Key": key}) as asker:
                assert (await asker.get("/admin/probe")).status_code == expected


@pytest.mark.parametrize(
    ("settings", "level", "word"),
    [
        ({}, "warning", "only this machine"),
        ({"allow_anonymous": True}, "warning", "everyone"),
        ({"api_keys": ("a key that is long enough",)}, "info", "holders"),
        ({"api_keys": ("a key that is long enough",), "allow_anonymous": True}, "info", "holders"),
    ],
)
async def test_the_start_says_who_may_ask(
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    settings: Json,
    level: str,
    word: str,
) -> None:
    async with serve(tmp_path_factory.mktemp("logs"), log_level="info", **settings):
        pass
    logs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in logs if line["event"].startswith("access:")]
    assert line["level"] == level
    assert word in line["event"]

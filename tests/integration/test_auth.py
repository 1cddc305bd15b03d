from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from tests.integration.service import GOOD, Chunks, Service, assert_problem, serve

pytestmark = pytest.mark.anyio

HASHED = hashlib.sha256(b"second").hexdigest()
KEYED = ["/score/can", "/score/can/batch", "/evaluate/can"]


@pytest.fixture(scope="module")
async def locked(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    keys = ("first", f"sha256:{HASHED}")
    async with serve(tmp_path_factory.mktemp("locked"), api_keys=keys) as running:
        yield running


@pytest.mark.parametrize("key", ["first", "second"])
@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_a_known_key_opens_in_either_header(locked: Service, key: str, header: str) -> None:
    value = key if header == "X-API-Key" else f"Bearer {key}"
    answer = await locked.client.post("/score/can", files={"file": GOOD}, headers={header: value})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "third"},
        {"X-API-Key": HASHED},
        {"X-API-Key": f"sha256:{HASHED}"},
        {"X-API-Key": "first "[:-1] + "x"},
        {"Authorization": "Bearer third"},
        {"Authorization": "Basic first"},
        {"Authorization": "first"},
    ],
)
async def test_no_key_or_a_wrong_one_is_401(locked: Service, headers: dict[str, str]) -> None:
    answer = await locked.client.post("/score/can", files={"file": GOOD}, headers=headers)
    assert_problem(answer, 401, "unauthorised")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_bytes_that_are_no_text_are_no_key(locked: Service) -> None:
    answer = await locked.client.get("/categories", headers={b"X-API-Key": b"\xff\xfe"})
    assert_problem(answer, 401, "unauthorised")


@pytest.mark.parametrize("path", KEYED)
async def test_posts_need_a_key(locked: Service, path: str) -> None:
    assert_problem(await locked.client.post(path), 401, "unauthorised")


@pytest.mark.parametrize("path", ["/categories", "/categories/can", "/evaluate", "/evaluate/can"])
async def test_gets_need_a_key(locked: Service, path: str) -> None:
    assert_problem(await locked.client.get(path), 401, "unauthorised")
    assert (await locked.client.get(path, headers={"X-API-Key": "first"})).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/docs", "/openapi.json"])
async def test_probes_and_documentation_are_open(locked: Service, path: str) -> None:
    assert (await locked.client.get(path)).status_code == 200


async def test_without_a_key_the_body_is_not_read(locked: Service) -> None:
    body = Chunks()
    answer = await locked.client.post(
        "/score/can", content=body, headers={"content-type": "image/png"}
    )
    assert answer.status_code == 401
    assert body.taken == 0


async def test_without_keys_anyone_may(service: Service) -> None:
    answer = await service.client.get("/categories", headers={"X-API-Key": "whatever"})
    assert answer.status_code == 200

"""Who may see what was recorded, say what it is, and delete it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from app.access.keys import hashed
from tests.integration.service import GOOD, Service, assert_problem, serve

pytestmark = pytest.mark.anyio

KEYS = ("score", "review", "admin")
ID = UUID("01a216f9-b7dc-7508-91f2-46c2ed416271")  # of no verdict; the same in each process
SPAN = "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z"
# What each call needs, and what it answers where that is there.
CALLS = [
    ("GET", "/verdicts", "review", 200),
    ("GET", f"/verdicts/{ID}", "review", 404),
    ("GET", f"/verdicts/{ID}/photo", "review", 404),
    ("GET", f"/verdicts/{ID}/thumbnail", "review", 404),
    ("GET", f"/verdicts/{ID}/overlay", "review", 404),
    ("GET", f"/verdicts/{ID}/reviews", "review", 404),
    ("PUT", f"/verdicts/{ID}/review", "review", 422),
    ("GET", "/verdicts.csv", "review", 200),
    ("GET", "/verdicts.parquet", "review", 200),
    ("GET", "/defect-types", "review", 200),
    ("DELETE", f"/verdicts?{SPAN}", "admin", 200),
    ("POST", "/admin/reload", "admin", 200),
    ("GET", "/categories", "score", 200),
]


@pytest.fixture(scope="module")
async def locked(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    keys = tuple(f"the-{name}:{name}:sha256:{hashed(name.encode())}" for name in KEYS)
    root = tmp_path_factory.mktemp("locked")
    async with serve(root, records="on", records_photos="all", api_keys=keys) as running:
        yield running


@pytest.mark.parametrize(("method", "path", "scope", "status"), CALLS)
@pytest.mark.parametrize("key", KEYS)
async def test_a_call_is_open_to_its_scope_and_those_above(
    locked: Service, method: str, path: str, scope: str, status: int, key: str
) -> None:
    answer = await locked.client.request(method, path, headers={"X-API-Key": key})
    if KEYS.index(key) >= KEYS.index(scope):
        assert answer.status_code == status, answer.text
    else:
        body = assert_problem(answer, 403, "forbidden")
        assert f"'the-{key}' lacks the scope {scope!r}" in body["detail"] or scope == "admin"


@pytest.mark.parametrize(("method", "path", "scope", "status"), CALLS)
async def test_no_call_is_open_without_a_key(
    locked: Service, method: str, path: str, scope: str, status: int
) -> None:
    assert_problem(await locked.client.request(method, path), 401, "unauthorised")


async def test_each_scope_may_score_and_its_name_is_recorded(locked: Service) -> None:
    for key in KEYS:
        headers = {"X-API-Key": key}
        answer = await locked.client.post("/score/can", files={"file": GOOD}, headers=headers)
        path = f"/verdicts/{answer.json()['id']}"
        verdict = await locked.client.get(path, headers={"X-API-Key": "review"})
        assert verdict.json()["key_name"] == f"the-{key}"


async def test_a_review_is_its_keys(locked: Service) -> None:
    answer = await locked.client.post(
        "/score/can", files={"file": GOOD}, headers={"X-API-Key": "score"}
    )
    path = f"/verdicts/{answer.json()['id']}/review"
    for key in ("review", "admin"):
        review = await locked.client.put(
            path, json={"decision": "good"}, headers={"X-API-Key": key}
        )
        assert review.json()["who"] == f"the-{key}"
    forged = await locked.client.put(
        path, json={"decision": "good", "who": "somebody"}, headers={"X-API-Key": "review"}
    )
    assert_problem(forged, 422, "invalid-request")


@pytest.mark.parametrize(("method", "path", "scope", "status"), CALLS)
async def test_without_keys_strangers_see_nothing_that_was_recorded(
    tmp_path_factory: pytest.TempPathFactory, method: str, path: str, scope: str, status: int
) -> None:
    root = tmp_path_factory.mktemp("open")
    async with serve(root, records="on", allow_anonymous=True) as service:
        here = await service.client.request(method, path)
        assert here.status_code == status, here.text
        elsewhere = httpx.ASGITransport(service.app, client=("192.0.2.9", 1))
        async with httpx.AsyncClient(transport=elsewhere, base_url="http://localhost") as other:
            answer = await other.request(method, path)
            if scope == "score":
                assert answer.status_code == status
            else:
                assert_problem(answer, 403, "forbidden")

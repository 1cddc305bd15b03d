from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from app.access.keys import ApiKey, KeysError, Scope, hashed
from app.access.keys_file import append
from app.core import lookout
from tests.integration.service import GOOD, Chunks, Service, assert_problem, serve

pytestmark = pytest.mark.anyio

A_MINUTE = 5
HASHED = hashed(b"second")
KEYED = ["/score/can", "/score/can/batch", "/evaluate/can"]
READ = ["/categories", "/categories/can", "/evaluate", "/evaluate/can"]


@pytest.fixture(scope="module")
async def locked(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    keys = ("first", f"sha256:{HASHED}", f"owner:admin:sha256:{hashed(b'owner')}")
    async with serve(tmp_path_factory.mktemp("locked"), api_keys=keys) as running:
        yield running


def with_key(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


@pytest.mark.parametrize("key", ["first", "second", "owner"])
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


async def test_a_key_is_its_bytes_whatever_their_alphabet(tmp_path: Path) -> None:
    async with serve(tmp_path, api_keys=("schlüssel",)) as service:
        sent = {b"X-API-Key": "schlüssel".encode()}
        assert (await service.client.get("/categories", headers=sent)).status_code == 200


@pytest.mark.parametrize("path", KEYED)
async def test_posts_need_a_key(locked: Service, path: str) -> None:
    assert_problem(await locked.client.post(path), 401, "unauthorised")


@pytest.mark.parametrize("path", READ)
async def test_gets_need_a_key(locked: Service, path: str) -> None:
    assert_problem(await locked.client.get(path), 401, "unauthorised")
    for key in ("first", "owner"):
        assert (await locked.client.get(path, headers=with_key(key))).status_code == 200


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


async def test_an_evaluation_is_started_by_the_scope_admin_alone(locked: Service) -> None:
    path = "/evaluate/can?wait=true"
    answer = await locked.client.post(path, headers=with_key("first"))
    body = assert_problem(answer, 403, "forbidden")
    assert "'key-1'" in body["detail"]
    assert (await locked.client.post(path, headers=with_key("owner"))).status_code == 200


async def test_the_log_line_names_the_key_and_never_shows_it(tmp_path: Path) -> None:
    keys = ("first", f"owner:admin:sha256:{hashed(b'owner')}")
    async with serve(tmp_path, api_keys=keys, log_level="info") as service:
        with capture_logs() as logs:
            await service.client.get("/categories", headers=with_key("owner"))
            await service.client.post("/evaluate/can", headers=with_key("first"))
            await service.client.get("/categories", headers=with_key("third"))
    lines = [line for line in logs if line["event"] == "request"]
    assert [(line["status"], line["key"]) for line in lines] == [
        (200, "owner"),
        (403, "key-1"),
        (401, None),
    ]
    assert "first" not in json.dumps(lines)
    assert "third" not in json.dumps(lines)


def add(path: Path, secret: str, scope: Scope = "score", **more: int) -> None:
    append(
        path,
        ApiKey(name=secret, sha256=hashed(secret.encode()), scopes=frozenset({scope}), **more),
    )


async def status(service: Service, key: str, path: str = "/categories") -> int:
    return (await service.client.get(path, headers=with_key(key))).status_code


async def test_keys_are_rotated_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "LOOK_EVERY_S", 0.0)
    path = tmp_path / "keys.toml"
    add(path, "old")
    async with serve(tmp_path, api_keys_file=path) as service:
        assert [await status(service, key) for key in ("old", "new")] == [200, 401]
        add(path, "new")
        assert [await status(service, key) for key in ("old", "new")] == [200, 200]
        path.write_text("[keys.")
        assert [await status(service, key) for key in ("old", "new")] == [200, 200]
        path.unlink()
        add(path, "new")
        assert [await status(service, key) for key in ("old", "new")] == [401, 200]
        path.write_text("")
        assert [await status(service, key) for key in ("old", "new")] == [401, 401]


@pytest.mark.parametrize("content", [None, "[keys."], ids=["missing", "broken"])
async def test_an_unusable_file_of_keys_refuses_the_start(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "keys.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KeysError, match="keys file"):
        async with serve(tmp_path, api_keys_file=path):
            pass


async def test_a_file_without_keys_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("")
    async with serve(tmp_path, api_keys_file=path, allow_anonymous=True) as service:
        assert_problem(await service.client.get("/categories"), 401, "unauthorised")


@pytest.fixture(scope="module")
async def limited(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    root = tmp_path_factory.mktemp("limited")
    path = root / "keys.toml"
    for name in ("a", "b", "c"):
        add(path, name)
    add(path, "owner", "admin")
    add(path, "slow", requests_per_minute=1)
    add(path, "free", requests_per_minute=0)
    async with serve(root, api_keys_file=path, rate_limit=2) as running:
        yield running


async def test_more_requests_than_allowed_are_429_and_others_go_on(limited: Service) -> None:
    assert [await status(limited, "a") for _ in range(3)] == [200, 200, 429]
    answer = await limited.client.get("/categories", headers=with_key("a"))
    assert_problem(answer, 429, "rate-limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert await status(limited, "b") == 200


async def test_a_keys_own_limit_comes_first(limited: Service) -> None:
    assert [await status(limited, "slow") for _ in range(2)] == [200, 429]
    assert {await status(limited, "free") for _ in range(10)} == {200}


async def test_a_request_counts_once_however_many_scopes_it_needs(limited: Service) -> None:
    for _ in range(2):
        answer = await limited.client.post("/evaluate/can", headers=with_key("owner"))
        assert answer.status_code == 202
    answer = await limited.client.post("/evaluate/can", headers=with_key("owner"))
    assert_problem(answer, 429, "rate-limited")


async def test_over_the_limit_the_body_is_not_read(limited: Service) -> None:
    body = Chunks()
    for _ in range(2):
        await status(limited, "c")
    answer = await limited.client.post(
        "/score/can", content=body, headers={"content-type": "image/png"} | with_key("c")
    )
    assert (answer.status_code, body.taken) == (429, 0)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_are_not_limited(limited: Service, path: str) -> None:
    assert {(await limited.client.get(path)).status_code for _ in range(5)} == {200}


async def test_wrong_keys_are_limited_and_right_ones_in_use_are_not(tmp_path: Path) -> None:
    async with serve(
        tmp_path, api_keys=("camera-1", "camera-2"), wrong_key_limit=A_MINUTE
    ) as service:
        assert await status(service, "camera-1") == 200
        found = [await status(service, f"guess-{n}") for n in range(A_MINUTE + 5)]
        assert found == [401] * A_MINUTE + [429] * 5
        answer = await service.client.get("/categories", headers=with_key("guess"))
        assert "wrong keys" in assert_problem(answer, 429, "rate-limited")["detail"]
        assert 1 <= int(answer.headers["retry-after"]) <= 60 // A_MINUTE
        assert {await status(service, "camera-1") for _ in range(50)} == {200}
        elsewhere = httpx.ASGITransport(service.app, client=("192.0.2.9", 1))
        async with httpx.AsyncClient(transport=elsewhere, base_url="http://localhost") as other:
            for key, expected in (("camera-2", 200), ("guess", 401)):
                answer = await other.get("/categories", headers=with_key(key))
                assert answer.status_code == expected


async def test_an_old_key_that_is_sent_over_and_over_shuts_no_other_out(tmp_path: Path) -> None:
    async with serve(tmp_path, api_keys=("camera-1",), wrong_key_limit=A_MINUTE) as service:
        found = [await status(service, "old") for _ in range(A_MINUTE + 5)]
        assert found == [401] * (A_MINUTE + 1) + [429] * 4
        assert await status(service, "camera-1") == 200


async def test_a_guess_that_is_right_is_not_told_while_the_address_is_shut(tmp_path: Path) -> None:
    async with serve(tmp_path, api_keys=("the-right-one",), wrong_key_limit=A_MINUTE) as service:
        for n in range(A_MINUTE):
            assert await status(service, f"guess-{n}") == 401
        body = Chunks()
        answer = await service.client.post(
            "/score/can",
            content=body,
            headers={"content-type": "image/png"} | with_key("the-right-one"),
        )
        assert_problem(answer, 429, "rate-limited")
        assert body.taken == 0


async def test_requests_without_a_key_are_limited_and_shut_nobody_out(tmp_path: Path) -> None:
    async with serve(tmp_path, api_keys=("camera-1",), wrong_key_limit=A_MINUTE) as service:
        answers = [await service.client.get("/categories") for _ in range(A_MINUTE + 1)]
        assert [answer.status_code for answer in answers] == [401] * A_MINUTE + [429]
        assert await status(service, "camera-1") == 200
        assert (await service.client.get("/livez")).status_code == 200

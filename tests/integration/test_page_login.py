"""In and out of the page: who is let in, what a session is worth, and what a change must bring."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.web.sessions import COOKIE
from tests.integration.service import Service, assert_problem, serve

pytestmark = pytest.mark.anyio

KEYS = {scope: f"{scope}-key-of-the-tests-0123456789" for scope in ("score", "review", "admin")}
OURS = {"Origin": "http://localhost"}


def entry(name: str, scope: str, key: str) -> str:
    return f"{name}:{scope}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


SETTING = tuple(entry(scope, scope, key) for scope, key in KEYS.items())


@pytest.fixture(scope="module")
async def keyed(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    async with serve(
        tmp_path_factory.mktemp("keyed"), api_keys=SETTING, wrong_key_limit=0, records="on"
    ) as running:
        yield running


@pytest.fixture
def visitor(keyed: Service) -> httpx.AsyncClient:
    """A browser that has not been here."""
    transport = httpx.ASGITransport(keyed.app)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def log_in(client: httpx.AsyncClient, key: str, **params: str) -> httpx.Response:
    return await client.post("/page/login", data={"key": key}, params=params, headers=OURS)


def token_in(answer: httpx.Response) -> str:
    found = re.search(r'name="csrf-token" content="([0-9a-f]+)"', answer.text)
    assert found, answer.text
    return found[1]


async def shown(client: httpx.AsyncClient) -> httpx.Response:
    """A page for whoever has logged in: that there is none of that name is told with the menu."""
    return await client.get("/page/nothing")


async def test_whoever_has_not_logged_in_is_sent_to_the_form(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/page/verdicts.csv?verdict=anomalous")
    assert_problem(answer, 401, "unauthorised")
    answer = await visitor.get("/page/history?verdict=anomalous")
    assert answer.headers["location"] == "login?next=history%3Fverdict%3Danomalous"
    answer = await visitor.get("/page/login")
    assert answer.status_code == 200
    assert 'type="password"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_key_opens_a_session(visitor: httpx.AsyncClient) -> None:
    answer = await log_in(visitor, KEYS["review"])
    assert (answer.status_code, answer.headers["location"]) == (303, "now")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path" not in cookie  # the browser's own rule: /page
    assert "Secure" not in cookie  # over http it would be dropped
    assert KEYS["review"] not in cookie
    assert (await visitor.get("/page/verdicts.csv")).status_code == 200


async def test_over_https_the_cookie_is_for_https_alone(keyed: Service) -> None:
    transport = httpx.ASGITransport(keyed.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as client:
        answer = await client.post(
            "/page/login", data={"key": KEYS["score"]}, headers={"Origin": "https://localhost"}
        )
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("key", ["wrong", "x" * 5000, "ключ", "' OR 1=1 --", "\x00"])
async def test_a_wrong_key_opens_none(visitor: httpx.AsyncClient, key: str) -> None:
    answer = await log_in(visitor, key)
    assert answer.status_code == 401
    assert "not known" in answer.text
    assert "set-cookie" not in answer.headers
    assert key not in answer.text or len(key) == 1


async def test_no_key_is_asked_for_again(visitor: httpx.AsyncClient) -> None:
    answer = await log_in(visitor, "  ")
    assert answer.status_code == 422
    assert "API key" in answer.text


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("history?verdict=anomalous&since=2026-01-01T00:00:00%2B00:00", None),
        ("review", None),
        ("//evil.example", "now"),
        ("https://evil.example", "now"),
        ("\\\\evil.example", "now"),
        ("../docs", "now"),
        ("now\r\nX: y", "now"),
        ("logout", "now"),
        ("javascript:alert(1)", "now"),
    ],
)
async def test_login_leads_to_a_page_of_ours_alone(
    visitor: httpx.AsyncClient, wanted: str, place: str | None
) -> None:
    answer = await log_in(visitor, KEYS["review"], next=wanted)
    assert answer.headers["location"] == (place or wanted)


async def test_a_cookie_that_was_there_before_is_never_taken_over(
    visitor: httpx.AsyncClient, keyed: Service
) -> None:
    """Session fixation: whoever could plant a cookie has nothing of the session that begins."""
    await log_in(visitor, KEYS["score"])
    planted = visitor.cookies[COOKIE]
    await log_in(visitor, KEYS["admin"])
    assert visitor.cookies[COOKIE] != planted
    other = httpx.AsyncClient(
        transport=httpx.ASGITransport(keyed.app),
        base_url="http://localhost",
        cookies={COOKIE: planted},
    )
    answer = await other.get("/page/verdicts.csv")
    assert_problem(answer, 403, "forbidden")  # still the score key's


async def test_logging_out_ends_it_here_too(visitor: httpx.AsyncClient) -> None:
    await log_in(visitor, KEYS["review"])
    cookie, token = visitor.cookies[COOKIE], token_in(await shown(visitor))
    answer = await visitor.post("/page/logout", params={"csrf": token}, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "login")
    assert COOKIE not in visitor.cookies
    visitor.cookies.set(COOKIE, cookie)
    assert_problem(await visitor.get("/page/verdicts.csv"), 401, "unauthorised")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:8001"},
    ],
)
async def test_another_sites_form_changes_nothing(
    visitor: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await log_in(visitor, KEYS["review"])
    token = token_in(await shown(visitor))
    port = {"Host": "localhost:8000"}
    answer = await visitor.post("/page/logout", params={"csrf": token}, headers=headers | port)
    assert answer.status_code == 403
    assert "nothing was done" in answer.text
    answer = await visitor.post("/page/login", data={"key": KEYS["admin"]}, headers=headers | port)
    assert answer.status_code == 403
    assert (await visitor.get("/page/verdicts.csv")).status_code == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "ü"])
async def test_a_change_needs_the_sessions_token(visitor: httpx.AsyncClient, token: str) -> None:
    await log_in(visitor, KEYS["review"])
    answer = await visitor.post("/page/logout", params={"csrf": token}, headers=OURS)
    assert answer.status_code == 403
    assert (await visitor.get("/page/verdicts.csv")).status_code == 200


async def test_another_sessions_token_does_not_count(
    visitor: httpx.AsyncClient, keyed: Service
) -> None:
    await log_in(visitor, KEYS["review"])
    token = token_in(await shown(visitor))
    await log_in(visitor, KEYS["review"])
    answer = await visitor.post("/page/logout", headers=OURS | {"X-CSRF-Token": token})
    assert answer.status_code == 403


async def test_a_proxy_may_hand_on_the_host_without_its_port(visitor: httpx.AsyncClient) -> None:
    headers = {"Origin": "https://shop.example:8443", "Host": "shop.example"}
    answer = await visitor.post("/page/login", data={"key": KEYS["score"]}, headers=headers)
    assert answer.status_code == 303


async def test_the_apis_own_paths_take_no_cookie(visitor: httpx.AsyncClient) -> None:
    await log_in(visitor, KEYS["admin"])
    for path in ("/verdicts", "/categories", "/admin/categories/can/versions"):
        assert_problem(await visitor.get(path), 401, "unauthorised")


async def test_a_key_of_a_lower_scope_sees_less(visitor: httpx.AsyncClient) -> None:
    await log_in(visitor, KEYS["score"])
    assert_problem(await visitor.get("/page/verdicts.csv"), 403, "forbidden")
    page = await shown(visitor)
    assert 'href="try"' in page.text
    assert 'href="review"' not in page.text


async def test_scripts_are_told_in_a_line(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/page/logout", headers=OURS | {"HX-Request": "true"})
    assert answer.status_code == 401
    assert "<html" not in answer.text
    assert 'role="alert"' in answer.text


async def test_wrong_keys_are_counted_as_the_api_counts_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(
        tmp_path_factory.mktemp("few"), api_keys=SETTING, wrong_key_limit=2
    ) as service:
        answers = [await log_in(service.client, f"wrong-{i}") for i in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
        assert int(answers[-1].headers["retry-after"]) > 0
        assert "Too many" in answers[-1].text


async def test_a_key_that_is_taken_out_ends_its_sessions(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("revoked")
    path = root / "keys.toml"
    digest = hashlib.sha256(KEYS["review"].encode()).hexdigest()
    both = '[keys.other]\nscopes = ["score"]\nsha256 = "%s"\n' % ("0" * 64)
    mine = f'[keys.mine]\nscopes = ["review"]\nsha256 = "{digest}"\n'
    path.write_text(both + mine)
    path.chmod(0o600)
    async with serve(root, api_keys_file=path, records="on") as service:
        await log_in(service.client, KEYS["review"])
        assert (await service.client.get("/page/verdicts.csv")).status_code == 200
        path.write_text(both)
        await service.app.state.services.keys.refresh(now=True)
        answer = await service.client.get("/page/verdicts.csv")
        assert_problem(answer, 401, "unauthorised")


async def test_without_keys_the_page_is_this_machines_alone(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(
        tmp_path_factory.mktemp("open"), allow_anonymous=True, records="on"
    ) as service:
        assert (await service.client.get("/page/login")).headers["location"] == "now"
        assert (await service.client.get("/page/verdicts.csv")).status_code == 200
        far = httpx.ASGITransport(service.app, client=("192.0.2.7", 1234))
        async with httpx.AsyncClient(transport=far, base_url="http://shop.example") as stranger:
            assert (await stranger.get("/categories")).status_code == 200  # as it was told
            for path in ("/page/login", "/page/verdicts.csv"):
                answer = await stranger.get(path)
                assert answer.status_code == 403
                assert "this machine" in answer.text


@pytest.mark.parametrize("path", ["/", "/page/login", "/page/now"])
async def test_a_person_at_another_machine_is_told_what_to_do(
    tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    async with serve(tmp_path_factory.mktemp("far")) as service:
        far = httpx.ASGITransport(service.app, client=("192.0.2.7", 1234))
        async with httpx.AsyncClient(transport=far, base_url="http://shop.example") as stranger:
            answer = await stranger.get(path)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "GOODSGUARD_API_KEYS" in answer.text


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async with serve(tmp_path / "off", page=False) as service:
        for path in ("/", "/page/login", "/page/verdicts.csv"):
            assert_problem(await service.client.get(path), 404, "not-found")
        assert (await service.client.get("/docs")).status_code == 200
        assert not (tmp_path / "off/records/page-secret").exists()


async def test_pages_bring_their_policy(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/page/login")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-frame-options"] == "DENY"


async def test_the_first_address_leads_to_the_page(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "page/now")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/page/", "now"),
        ("/page/now/", "../now"),
        ("/page/history/?verdict=anomalous", "../history?verdict=anomalous"),
        ("/page/now/deeper/", "../../now"),
        ("/page/now/deeper/still", "../../nowhere"),
    ],
)
async def test_a_slash_too_many_leads_to_the_page_that_was_meant(
    visitor: httpx.AsyncClient, path: str, place: str
) -> None:
    answer = await visitor.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, place)


async def test_whoever_may_only_try_begins_there(visitor: httpx.AsyncClient) -> None:
    assert (await log_in(visitor, KEYS["score"])).headers["location"] == "try"
    assert (await visitor.get("/page")).headers["location"] == "page/try"
    assert (await log_in(visitor, KEYS["review"])).headers["location"] == "now"


@pytest.mark.parametrize("body", [b"key=%ff%fe", b"a=b&" * 200, b"\xff\xfe"])
async def test_a_form_that_cannot_be_read_is_said_to_be(
    visitor: httpx.AsyncClient, body: bytes
) -> None:
    headers = OURS | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await visitor.post("/page/login", content=body, headers=headers)
    assert answer.status_code == 422
    assert "cannot be read" in answer.text


async def test_a_form_that_is_too_long_is_refused(visitor: httpx.AsyncClient) -> None:
    assert (await log_in(visitor, "x" * 70_000)).status_code == 413

"""The page Now: tiles, pins, and the stream that keeps them new."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.records import newest
from app.web import live as live_module
from app.web.routes import now as now_module
from tests.integration.service import DEFECTIVE, GOOD, Json, Service, listening, serve
from tests.support import encode, plain

pytestmark = pytest.mark.anyio

KEY = "key-of-a-person-0123456789"
NASTY = "<script>alert(1)</script>\"&'"
CAMERAS = f"[cameras.till]\n[cameras.belt]\n[cameras.'{NASTY[:-1]}']\n"


class Events:
    """A stream of server-sent events, as a browser reads it."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.id = ""
        self._lines = answer.aiter_lines()

    async def next(self, kind: str | None = None) -> Json:
        """The data of the next event, of a kind where one is named; heartbeats are passed over."""
        async with asyncio.timeout(20):
            event, data = "", ""
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "id":
                    self.id = value
                elif name == "data":
                    data = value
                elif not line and event:
                    if kind in (None, event):
                        return {"event": event, **json.loads(data)}
                    event = ""
        raise AssertionError("the stream is over")

    async def until(self, holds: Callable[[Json], bool]) -> Json:
        """The first board event that is so."""
        while not holds(found := await self.next("board")):
            pass
        return found

    async def beats(self, number: int) -> None:
        """So many heartbeats have come."""
        async with asyncio.timeout(20):
            async for line in self._lines:
                number -= line == ": still here"
                if not number:
                    return

    async def rest(self) -> str:
        """All that still comes until the end."""
        async with asyncio.timeout(20):
            return "\n".join([line async for line in self._lines])


Watch = Callable[..., Any]


@asynccontextmanager
async def watching(service: Service) -> AsyncIterator[Watch]:
    """What opens a stream over a real connection."""
    async with listening(service) as port:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:

            @asynccontextmanager
            async def watch(query: str = "", **headers: str) -> AsyncIterator[Events]:
                async with client.stream("GET", f"/page/now/events{query}", headers=headers) as got:
                    yield Events(got)

            yield watch


@asynccontextmanager
async def a_shop(root: Path, **settings: Any) -> AsyncIterator[Service]:
    file = root / "cameras.toml"
    file.write_text(CAMERAS, encoding="utf-8")
    values: Json = {"records": "on", "records_photos": "all", "cameras": file}
    async with serve(root, **(values | settings)) as service:
        yield service


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Service]:
    async with a_shop(tmp_path) as service:
        yield service


async def scored(service: Service, photo: bytes, **params: str) -> Json:
    answer = await service.score(photo, **params)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


async def shown(service: Service, page: str = "now") -> str:
    """The page once all is written that was answered."""
    assert service.app.state.services.records.flush(30)
    answer = await service.client.get(f"/page/{page}")
    assert answer.status_code == 200, answer.text
    return answer.text


def number(html: str) -> int:
    return int(html.split('data-number="')[1].split('"')[0])


def cameras(event: Json) -> set[str]:
    return {camera for camera, _ in event.get("tiles", ())}


async def test_each_camera_has_a_tile_and_says_where_nothing_came(shop: Service) -> None:
    await scored(shop, GOOD, camera="till")
    await scored(shop, GOOD)
    html = await shown(shop)
    assert "<title>Now · GoodsGuard</title>" in html
    assert html.count('<article class="card tile') == 4
    assert 'data-camera="till"' in html
    assert 'data-camera=""' in html  # photos that named none
    assert html.count("Nothing yet") == 2
    assert "<script>alert" not in html
    assert "Nothing to look at" in html
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in html


async def test_anomalous_verdicts_are_pinned_until_somebody_reviews_them(shop: Service) -> None:
    verdict = await scored(shop, DEFECTIVE, camera="belt")
    html = await shown(shop)
    assert "<title>(1) Now · GoodsGuard</title>" in html
    assert "1 anomalous today, not reviewed" in html
    assert f'href="verdict?id={verdict["id"]}"' in html
    answer = await shop.client.put(f"/verdicts/{verdict['id']}/review", json={"decision": "good"})
    assert answer.status_code == 200
    html = await shown(shop)
    assert "<title>Now · GoodsGuard</title>" in html
    assert "Nothing to look at" in html


async def test_of_many_pins_the_rest_is_a_link_with_its_filter(shop: Service) -> None:
    for _ in range(10):
        await scored(shop, DEFECTIVE)
    html = await shown(shop)
    assert html.count("<li data-id=") == 8
    assert 'href="history?verdict=anomalous&amp;reviewed=false&amp;since=' in html
    assert ">2 more</a>" in html
    since = html.split("since=")[1].split('"')[0]
    asked = f"/verdicts?verdict=anomalous&reviewed=false&since={since}"
    assert len((await shop.client.get(asked)).json()["items"]) == 10


async def test_a_photo_of_several_places_shows_the_worst_first(tmp_path: Path) -> None:
    file = tmp_path / "cameras.toml"
    place = '[[cameras.shelf.places]]\nname = "{}"\ncategory = "{}"\ncrop = [{}, 0.0, {}, 1.0]\n'
    file.write_text(
        "[cameras.shelf]\n"
        + place.format("left", "box", 0.5, 1.0)
        + place.format("right", "can", 0.0, 0.5)
    )
    async with serve(tmp_path, records="on", cameras=file) as service:
        photo = encode(plain(120, (200, 100)))
        answer = await service.client.post("/score?camera=shelf", files={"file": photo})
        assert answer.status_code == 200, answer.text
        html = await shown(service)
        assert html.count('<article class="card tile') == 1
        assert "The photo's other verdicts" in html


async def test_an_empty_service_says_what_to_do(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on") as service:
        html = await shown(service)
        assert "No photo has come yet" in html
        assert "GOODSGUARD_CAMERAS" in html


async def test_without_records_the_page_says_why(tmp_path: Path) -> None:
    async with a_shop(tmp_path, records="off") as service:
        html = await shown(service)
        assert "No verdicts are kept here" in html
        assert "GOODSGUARD_RECORDS=on" in html


async def test_a_photo_is_told_within_a_second(shop: Service) -> None:
    html = await shown(shop)
    async with watching(shop) as watch, watch(f"?after={number(html)}") as events:
        assert events.answer.headers["content-type"].startswith("text/event-stream")
        assert events.answer.headers["x-accel-buffering"] == "no"
        await events.next("board")  # the pins, to begin with
        took = []
        for photo in (DEFECTIVE, GOOD, DEFECTIVE):
            await scored(shop, photo, camera="till")
            answered = time.monotonic()
            event = await events.until(lambda found: "till" in cameras(found))
            took.append(time.monotonic() - answered)
            assert len(event["news"]) == (photo == DEFECTIVE)
        assert max(took) < 1.0
        assert "anomalous" in dict(event["tiles"])["till"]
        assert event["news"] == ["New anomalous verdict: can, camera till."]
        pinned = event if "pinned" in event else await events.until(lambda one: "pinned" in one)
        assert pinned["pinned"] == 2
        assert "2 anomalous today" in pinned["pins"]


async def test_who_comes_again_is_told_what_they_missed(shop: Service) -> None:
    html = await shown(shop)
    async with watching(shop) as watch:
        async with watch(f"?after={number(html)}") as events:
            await scored(shop, GOOD, camera="till")
            await events.until(lambda found: cameras(found) == {"till"})
            known = events.id
        await scored(shop, DEFECTIVE, camera="belt")
        await scored(shop, GOOD)
        await shown(shop)
        # As browsers do it: the address is that of the first time.
        async with watch(f"?after={number(html)}", **{"Last-Event-ID": known}) as events:
            event = await events.until(lambda found: bool(cameras(found)))
            assert cameras(event) == {"belt", ""}
            assert len(event["news"]) == 1
            await scored(shop, GOOD, camera="till")
            assert cameras(await events.until(lambda f: bool(cameras(f)))) == {"till"}


@pytest.mark.parametrize("query", ["", "?after=1000000"])
async def test_who_knows_nothing_that_is_there_has_to_load_the_board(
    shop: Service, query: str
) -> None:
    async with watching(shop) as watch, watch(query) as events:
        assert (await events.next("reset"))["event"] == "reset"
    assert number(await shown(shop, "now/board")) == 0


async def test_who_missed_too_much_has_to_load_the_board(
    shop: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest.arrivals, "__defaults__", (3,))
    for _ in range(4):
        await scored(shop, GOOD)
    await shown(shop)
    async with watching(shop) as watch, watch("?after=0") as events:
        await events.next("reset")


async def test_a_review_by_somebody_else_unpins(shop: Service) -> None:
    verdict = await scored(shop, DEFECTIVE)
    html = await shown(shop)
    async with watching(shop) as watch, watch(f"?after={number(html)}") as events:
        assert (await events.next("board"))["pinned"] == 1
        answer = await shop.client.put(
            f"/verdicts/{verdict['id']}/review", json={"decision": "good"}
        )
        assert answer.status_code == 200
        event = await events.next("board")
        assert (event["pinned"], cameras(event)) == (0, set())


async def test_what_another_process_writes_is_told_too(shop: Service, tmp_path: Path) -> None:
    async with a_shop(tmp_path) as other, watching(shop) as watch, watch("?after=0") as events:
        await events.next("board")
        await scored(other, DEFECTIVE, camera="belt")
        event = await events.until(lambda found: bool(cameras(found)))
        assert cameras(event) == {"belt"}


async def test_a_new_camera_in_the_file_has_the_board_loaded(shop: Service, tmp_path: Path) -> None:
    await shown(shop)
    async with watching(shop) as watch, watch("?after=0") as events:
        await events.next("board")
        (tmp_path / "cameras.toml").write_text(CAMERAS + "[cameras.door]\n", encoding="utf-8")
        await events.next("reset")
    assert 'data-camera="door"' in await shown(shop, "now/board")


async def test_records_that_are_away_for_a_while_are_told_and_come_back(
    shop: Service, tmp_path: Path
) -> None:
    def rename(before: str, after: str) -> None:
        engine = sa.create_engine(f"sqlite:///{tmp_path}/records/goodsguard.db")
        with engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE {before} RENAME TO {after}"))
        engine.dispose()

    await scored(shop, GOOD, camera="till")
    html = await shown(shop)
    async with watching(shop) as watch, watch(f"?after={number(html)}") as events:
        assert (await events.next("fault"))["text"] is None
        rename("verdicts", "elsewhere")
        fault = (await events.next("fault"))["text"]
        assert "The records cannot be used now" in fault
        assert str(tmp_path) not in fault
        page = (await shop.client.get("/page/now")).text
        assert "The records cannot be read" in page
        rename("elsewhere", "verdicts")
        assert (await events.next("fault"))["text"] is None
        await scored(shop, GOOD, camera="till")
        assert cameras(await events.until(lambda f: bool(cameras(f)))) == {"till"}


async def test_streams_are_bounded(shop: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "MAX_STREAMS", 1)
    async with watching(shop) as watch:
        async with watch("?after=0") as first:
            await first.next("board")
            async with watch("?after=0") as second:
                assert second.answer.status_code == 503
                assert second.answer.headers["retry-after"] == "10"
        async with asyncio.timeout(10):
            while True:  # the first place is free as soon as the server sees that it is
                async with watch("?after=0") as third:
                    if third.answer.status_code == 200:
                        break


async def test_nobody_watches_the_database_where_nobody_looks(shop: Service) -> None:
    async with watching(shop) as watch:
        async with watch("?after=0") as events:
            await events.next("board")
            live = shop.app.state.live
            assert len(shop.app.state.services.records.on_written) == 1
        async with asyncio.timeout(10):
            await live._task
    assert shop.app.state.services.records.on_written == []


async def test_streams_end_when_the_service_drains(shop: Service) -> None:
    drain = shop.app.state.services.drain
    async with watching(shop) as watch:
        async with watch("?after=0") as events:
            await events.next("board")
            began = time.monotonic()
            for tell in drain.on_begin:
                tell()
            await events.rest()
            assert time.monotonic() - began < 1.0
        async with watch("?after=0") as late:
            assert late.answer.status_code == 503


async def test_a_stream_of_hours_is_logged_by_how_soon_it_began(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(now_module, "_BEAT_S", 0.2)
    async with a_shop(tmp_path, log_level="info") as service:
        began = time.monotonic()
        async with watching(service) as watch, watch("?after=0") as events:
            await events.beats(4)
        async with asyncio.timeout(10):
            while not await service.metric("goodsguard_requests_total", route="/page/now/events"):
                await asyncio.sleep(0.01)
        took = time.monotonic() - began
        total = await service.metric("goodsguard_request_seconds_sum", route="/page/now/events")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [one for one in lines if one.get("path") == "/page/now/events"]
    assert line["open_s"] >= 0.8
    assert total == pytest.approx(line["ms"] / 1000, abs=0.001)
    assert total + line["open_s"] < took + 0.1


HASH = hashlib.sha256(KEY.encode()).hexdigest()


def file_of_keys(scope: str) -> str:
    return f'[keys.person]\nsha256 = "{HASH}"\nscopes = ["{scope}"]\n'


async def logged_in(service: Service) -> str:
    """The cookie of a person who has logged in."""
    answer = await service.client.post(
        "/page/login", data={"key": KEY}, headers={"Origin": "http://localhost"}
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


async def test_without_a_session_there_is_no_stream(tmp_path: Path) -> None:
    async with a_shop(tmp_path, api_keys=(f"person:review:sha256:{HASH}",)) as service:
        headers = {"Accept": "text/event-stream"}
        answer = await service.client.get("/page/now/events", headers=headers)
        assert answer.status_code == 401


async def test_who_may_only_score_sees_nothing(tmp_path: Path) -> None:
    async with a_shop(tmp_path, api_keys=(f"person:score:sha256:{HASH}",)) as service:
        cookie = await logged_in(service)
        for page in ("now", "now/board", "now/events"):
            answer = await service.client.get(f"/page/{page}", headers={"Cookie": cookie})
            assert answer.status_code == 403


async def log_out(service: Service, cookie: str, _: Path) -> None:
    page = (await service.client.get("/page/now", headers={"Cookie": cookie})).text
    token = page.split('csrf-token" content="')[1].split('"')[0]
    answer = await service.client.post(
        "/page/logout",
        headers={"Cookie": cookie, "Origin": "http://localhost", "X-CSRF-Token": token},
    )
    assert answer.status_code == 303


async def take_key_out(_: Service, __: str, root: Path) -> None:
    (root / "keys").write_text("", encoding="utf-8")


async def take_scope_away(_: Service, __: str, root: Path) -> None:
    (root / "keys").write_text(file_of_keys("score"), encoding="utf-8")


@pytest.mark.parametrize("end", [log_out, take_key_out, take_scope_away])
async def test_a_stream_ends_with_its_session(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Service, str, Path], Awaitable[None]],
) -> None:
    monkeypatch.setattr(now_module, "_BEAT_S", 0.3)
    file = tmp_path / "keys"
    file.write_text(file_of_keys("review"), encoding="utf-8")
    async with a_shop(tmp_path, api_keys_file=file) as service:
        cookie = await logged_in(service)
        async with watching(service) as watch, watch("?after=0", Cookie=cookie) as events:
            await events.next("board")
            await end(service, cookie, tmp_path)
            await events.next("over")
            assert (await events.rest()).strip() == ""


async def test_head_of_the_stream_ends(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("head"), records="on") as service:
        async with asyncio.timeout(10):
            answer = await service.client.head("/page/now/events")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.content == b""

"""History, a verdict's page and deleting, as a browser without scripts asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from tests.integration.service import DEFECTIVE, GOOD, Json, Service, serve

pytestmark = pytest.mark.anyio

ORIGIN = {"origin": "http://localhost"}
FORM = ORIGIN | {"content-type": "application/x-www-form-urlencoded"}
NASTY = "'); DROP TABLE verdicts; -- <script>alert(1)</script> {{ 7 * 7 }}"


@pytest.fixture(scope="module")
async def kept(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    root = tmp_path_factory.mktemp("kept")
    async with serve(root, records="on", records_photos="all") as running:
        yield running


async def scored(service: Service, photo: bytes = DEFECTIVE) -> Json:
    body: Json = (await service.score(photo)).json()
    assert service.app.state.services.records.flush(30)
    return body


async def shown(service: Service, address: str, status: int = 200, **headers: str) -> str:
    answer = await service.client.get(f"/page/{address}", headers=headers, follow_redirects=True)
    assert answer.status_code == status, answer.text
    return answer.text


async def token(service: Service) -> str:
    return (await shown(service, "history")).partition('name="csrf-token" content="')[2][:64]


async def test_the_filter_decides_what_is_shown(kept: Service) -> None:
    normal, anomalous = await scored(kept, GOOD), await scored(kept)
    everything = await shown(kept, "history")
    assert normal["id"] in everything
    assert anomalous["id"] in everything
    some = await shown(kept, "history?verdict=anomalous&category=can")
    assert normal["id"] not in some
    assert anomalous["id"] in some
    assert 'href="verdicts.csv?category=can&amp;verdict=anomalous"' in some
    gallery = await shown(kept, "history?verdict=anomalous&view=gallery")
    assert f'src="verdicts/{anomalous["id"]}/thumbnail"' in gallery


async def test_a_verdict_leads_back_to_its_place(kept: Service) -> None:
    first = await scored(kept, GOOD)
    await scored(kept)
    gallery = "history?category=can&view=gallery"
    link = f"verdict?id={first['id']}&category=can&view=gallery"
    assert f'href="{link}"' in unescape(await shown(kept, gallery))
    one = unescape(await shown(kept, link))
    assert f'href="{gallery}#v-{first["id"]}"' in one
    assert f'id="v-{first["id"]}"' in await shown(kept, gallery)
    newer = one.partition('id="newer" href="')[2].partition('"')[0]
    assert newer.endswith("&category=can&view=gallery")
    page = unescape(await shown(kept, "history?verdict=normal&cursor=odd"))
    assert f'href="verdict?id={first["id"]}&verdict=normal&cursor=odd"' in page
    back = await shown(kept, f"verdict?id={first['id']}&verdict=normal&cursor=odd")
    assert f'href="history?verdict=normal&cursor=odd#v-{first["id"]}"' in unescape(back)


async def test_a_page_without_an_entry_says_where_it_belongs(kept: Service) -> None:
    identity = (await scored(kept))["id"]
    for address, entry, kind in (
        ("history", "history", "page"),
        (f"verdict?id={identity}", "history", "true"),
        ("delete?since=2026-01-01T00:00Z&until=2026-01-02T00:00Z", "history", "true"),
        ("category?name=can", "categories", "true"),
    ):
        text = await shown(kept, address)
        menu = text.partition('<nav aria-label="Pages">')[2].partition("</nav>")[0]
        assert menu.count("aria-current") == 1
        assert f'<a href="{entry}" aria-current="{kind}">' in menu


async def test_without_any_verdict_it_says_what_fills_it(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on") as service:
        page = await shown(service, "history")
        assert "<h2>Nothing is recorded yet</h2>" in page
        assert "What is tried on the page" in page
        assert "<h2>No verdict fits</h2>" in await shown(service, "history?verdict=normal")


async def test_a_form_without_a_script_gets_a_tidy_address(kept: Service) -> None:
    sent = "category=&camera=&verdict=normal&reviewed=&since=2026-01-01T00:00&until=&lowest="
    answer = await kept.client.get(f"/page/history?{sent}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "history?verdict=normal&since=2026-01-01T00:00Z"
    again = await kept.client.get(f"/page/{answer.headers['location']}")
    assert again.status_code == 200


async def test_a_script_gets_the_results_alone_and_their_address(kept: Service) -> None:
    answer = await kept.client.get(
        "/page/history?verdict=normal&camera=", headers={"hx-request": "true"}
    )
    assert answer.headers["hx-push-url"] == "history?verdict=normal"
    assert "<html" not in answer.text
    assert 'id="fault-camera" hx-swap-oob="true"' in answer.text
    restored = {"hx-request": "true", "hx-history-restore-request": "true"}
    assert "<html" in (await kept.client.get("/page/history", headers=restored)).text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("verdict=broken", "Must be 'normal', 'anomalous' or 'unusable'"),
        ("since=yesterday", "datetime"),
        ("lowest=much", "Must be a valid number"),
        ("categori=can", "There is no filter 'categori'"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_looked_for(
    kept: Service, query: str, said: str
) -> None:
    page = unescape(await shown(kept, f"history?{query}"))
    assert said in page
    assert "nothing was looked for" in page


async def test_pages_lead_to_older_ones_and_back(kept: Service) -> None:
    for _ in range(50):
        await kept.score(GOOD)
    first = await scored(kept, GOOD)
    newest = await shown(kept, "history")
    assert first["id"] in newest
    link = newest.partition('rel="next" href="')[2].partition('"')[0]
    older = await shown(kept, unescape(link))
    assert first["id"] not in older
    assert "Back to the newest" in older
    odd = await shown(kept, "history?cursor=..%2F..%2Fetc")
    assert "names a place that no page gave" in odd
    assert first["id"] in odd


async def test_hostile_texts_are_shown_as_texts(kept: Service) -> None:
    identity = (await scored(kept))["id"]
    review = {"decision": "defective", "defect": NASTY, "note": NASTY}
    done = await kept.client.put(f"/verdicts/{identity}/review", json=review)
    assert done.status_code == 200
    for address in ("history", f"verdict?id={identity}"):
        page = await shown(kept, address)
        assert "<script>alert" not in page
        assert NASTY in unescape(page)
    page = await shown(kept, f"history?category={NASTY[:40]}&camera=%22%3E%3Cb%3E")
    assert "<script>alert" not in page
    assert "><b>" not in page


async def test_a_verdict_shows_all_that_is_recorded(kept: Service) -> None:
    score = await scored(kept)
    page = await shown(kept, f"verdict?id={score['id']}")
    for text in (
        score["bank_version"],
        score["request_id"],
        "40 × 30 pixels",
        "Nobody has reviewed",
    ):
        assert text in page
    assert f'href="review?id={score["id"]}"' in page


async def test_a_photo_that_cannot_be_judged_is_told_in_words(kept: Service) -> None:
    await kept.score(b"no image at all")
    assert kept.app.state.services.records.flush(30)
    (verdict,) = (await kept.client.get("/verdicts?verdict=unusable&size=1")).json()["items"]
    page = await shown(kept, f"verdict?id={verdict['id']}")
    assert "cannot be shown as a picture" in page
    assert "<img" not in page


async def test_a_photo_that_is_not_kept_is_told_in_words(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on", records_photos="none") as service:
        identity = (await scored(service))["id"]
        page = await shown(service, f"verdict?id={identity}")
        assert "The photo is not kept" in page
        assert "<img" not in page


@pytest.mark.parametrize("identity", ["", "x", "01a2174b-9428-70d2-a0ca-7f250a490789"])
async def test_no_such_verdict(kept: Service, identity: str) -> None:
    assert "Unknown verdict" in await shown(kept, f"verdict?id={identity}", 404)


async def test_without_records_the_page_says_so(tmp_path: Path) -> None:
    async with serve(tmp_path, records="off") as service:
        page = await shown(service, "history")
        assert "GOODSGUARD_RECORDS=on" in page
        assert "<form" not in page.partition("<main")[2]
        assert 'id="sound" data-off' in await shown(service, "now")
        assert "no records are kept here" in await shown(service, "category?name=can")


async def test_a_span_is_counted_then_deleted_after_the_word(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on", records_photos="all") as service:
        begun = datetime.now(UTC) - timedelta(seconds=1)
        identity = (await scored(service))["id"]
        await service.client.put(f"/verdicts/{identity}/review", json={"decision": "good"})
        span = f"since={begun:%Y-%m-%dT%H:%M:%S}&until=2100-01-01T00:00&category=can"
        page = await shown(service, f"delete?{span}")
        assert "<strong>1</strong> verdict would go, <strong>1</strong> of them reviewed" in page
        address = f"/page/delete?{span}&csrf={await token(service)}"
        refused = await service.client.post(address, content="word=yes", headers=FORM)
        assert refused.status_code == 303
        assert "csrf" not in refused.headers["location"]
        assert "nothing was deleted" in await shown(service, refused.headers["location"])
        assert (await service.client.get(f"/verdicts/{identity}")).status_code == 200
        foreign = FORM | {"origin": "http://elsewhere.example"}
        assert (
            await service.client.post(address, content="word=delete", headers=foreign)
        ).status_code == 403
        done = await service.client.post(address, content="word=delete", headers=FORM)
        # Told at an address of its own: to load it again deletes nothing.
        assert done.status_code == 303
        told = done.headers["location"]
        assert "csrf" not in told
        for _ in range(2):
            assert "<strong>1</strong> verdict, 1 review and 1 photo" in await shown(service, told)
        forged = await service.client.get(f"/page/{told.replace('verdicts=1', 'verdicts=9')}")
        assert forged.headers["location"] == "history"
        assert (await service.client.get(f"/verdicts/{identity}")).status_code == 404
        assert "nothing to delete" in await shown(service, f"delete?{span}")


async def test_a_span_must_have_an_end_after_its_begin(kept: Service) -> None:
    span = "since=2026-01-02T00:00&until=2026-01-01T00:00"
    assert "must be after" in await shown(kept, f"delete?{span}")

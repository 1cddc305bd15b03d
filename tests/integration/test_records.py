"""The service remembers verdicts: what is recorded, shown, reviewed, exported and deleted."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from app.core import lookout
from app.core.store import artifact as artifacts
from app.records import export, reading
from app.records.ids import uuid7
from tests.integration.service import (
    CURSED,
    DEFECTIVE,
    GOOD,
    Json,
    Service,
    assert_problem,
    listening,
    serve,
)
from tests.support import encode, make_artifact, plain
from tests.unit.core.features.test_patches import CellRuntime, built, spotted
from tests.unit.records.made import draft

pytestmark = pytest.mark.anyio

SPOTTED = encode(spotted((20, 20, 150, 70)))

# A name that is a formula, HTML and SQL at once.
NASTY = '=HYPERLINK("http://x") <script>alert(1)</script> \'); DROP TABLE verdict; --'


@pytest.fixture(scope="module")
async def kept(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    async with serve(
        tmp_path_factory.mktemp("kept"), records="on", records_photos="all"
    ) as running:
        yield running


async def written(service: Service) -> None:
    """All that was answered is in the database."""
    assert service.app.state.services.records.flush(30)


async def listed(service: Service, **params: Any) -> list[Json]:
    await written(service)
    answer = await service.client.get("/verdicts", params=params)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def shown(service: Service, identity: str) -> Json:
    answer = await service.client.get(f"/verdicts/{identity}")
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


async def scored(service: Service, photo: bytes = DEFECTIVE) -> Json:
    answer = await service.score(photo)
    assert answer.status_code == 200
    body: Json = answer.json()
    return body


async def test_a_verdict_is_found_under_the_id_that_was_answered(kept: Service) -> None:
    score = await scored(kept)
    verdict = await shown(kept, score["id"])
    same = {"category", "verdict", "threshold", "p_value", "alpha", "bank_version", "regions"}
    assert {name: verdict[name] for name in same} == {name: score[name] for name in same}
    assert verdict["score"] == pytest.approx(score["score"])
    assert verdict["request_id"] == score["request_id"]
    assert (verdict["width"], verdict["height"]) == (40, 30)
    assert verdict["timings_ms"] == score["timings_ms"]
    assert verdict["photo_kept"]
    assert verdict["review"] is None
    assert verdict["key_name"] is None


async def test_each_photo_of_a_batch_is_recorded(kept: Service) -> None:
    answer = await kept.batch(GOOD, DEFECTIVE, b"no image at all")
    results = answer.json()["results"]
    ids = [item["result"] and item["result"]["id"] for item in results]
    assert [(await shown(kept, i))["verdict"] for i in ids[:2]] == ["normal", "anomalous"]
    unusable = await listed(kept, verdict="unusable", size=1)
    assert unusable[0]["request_id"] == answer.json()["request_id"]
    assert (unusable[0]["score"], unusable[0]["width"]) == (None, None)


@pytest.mark.parametrize("photo", [b"no image", CURSED], ids=["no image", "no finite score"])
async def test_a_photo_that_cannot_be_judged_is_recorded_too(kept: Service, photo: bytes) -> None:
    answer = await kept.score(photo)
    assert answer.status_code == 422
    (verdict,) = await listed(kept, verdict="unusable", size=1)
    assert verdict["request_id"] == answer.json()["request_id"]
    photo_sent = await kept.client.get(f"/verdicts/{verdict['id']}/photo")
    assert photo_sent.content == photo
    # Nothing that a browser would show: it may be anything.
    assert photo_sent.headers["content-type"] == "application/octet-stream"
    assert photo_sent.headers["content-disposition"].startswith("attachment")
    answer = await kept.client.get(f"/verdicts/{verdict['id']}/thumbnail")
    assert_problem(answer, 404, "photo-not-kept")


async def test_several_categories_are_each_recorded_with_one_photo(kept: Service) -> None:
    answer = await kept.client.post("/score?category=can&category=box", files={"file": GOOD})
    found = [await shown(kept, item["result"]["id"]) for item in answer.json()["results"]]
    assert [verdict["category"] for verdict in found] == ["can", "box"]
    assert len({verdict["sha256"] for verdict in found}) == 1


async def test_answers_with_overlays_are_recorded(kept: Service) -> None:
    answer = await kept.score(DEFECTIVE, heatmap="true")
    assert (await shown(kept, answer.json()["id"]))["verdict"] == "anomalous"


async def test_an_evaluation_records_nothing(kept: Service) -> None:
    before = await listed(kept, size=1000)
    answer = await kept.client.post("/evaluate/can?wait=true")
    assert answer.status_code == 200
    assert await listed(kept, size=1000) == before


async def test_places_of_a_camera_are_recorded_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "cameras.toml"
    file.write_text(
        "[cameras.shelf]\n"
        '[[cameras.shelf.places]]\nname = "left"\ncategory = "can"\ncrop = [0.0, 0.0, 0.5, 1.0]\n'
        '[[cameras.shelf.places]]\nname = "right"\ncategory = "box"\ncrop = [0.5, 0.0, 1.0, 1.0]\n'
    )
    async with serve(tmp_path, records="on", cameras=file) as service:
        photo = encode(plain(120, (200, 100)))
        answer = await service.client.post("/score?camera=shelf", files={"file": photo})
        assert answer.status_code == 200, answer.text
        found = await listed(service, camera="shelf")
        ids = [item["result"]["id"] for item in answer.json()["results"]]
        assert sorted(verdict["id"] for verdict in found) == sorted(ids)
        places = {verdict["place"]: verdict["category"] for verdict in found}
        assert places == {"left": "can", "right": "box"}
        whole = await service.score(photo, camera="shelf")
        assert (await shown(service, whole.json()["id"]))["place"] is None
        assert await listed(service, camera="other") == []


async def test_pages_show_each_verdict_once_newest_first(kept: Service) -> None:
    ids = [(await scored(kept, GOOD))["id"] for _ in range(5)]
    await written(kept)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(200):
        params: Json = {"size": 2} | ({"cursor": cursor} if cursor else {})
        page = (await kept.client.get("/verdicts", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen[:5] == ids[::-1]
    assert seen == [item["id"] for item in await listed(kept, size=1000)]


async def test_filters_hold_together(kept: Service) -> None:
    begun = datetime.now(UTC)
    normal, anomalous = await scored(kept, GOOD), await scored(kept, DEFECTIVE)
    await kept.client.put(f"/verdicts/{normal['id']}/review", json={"decision": "unsure"})
    since = begun.isoformat()

    async def ids(**params: Any) -> set[str]:
        return {item["id"] for item in await listed(kept, since=since, **params)}

    both = {normal["id"], anomalous["id"]}
    assert await ids() == both
    assert await ids(category="can") == both
    assert await ids(category="box") == set()
    assert await ids(verdict="anomalous") == {anomalous["id"]}
    assert await ids(reviewed="true") == await ids(decision="unsure") == {normal["id"]}
    assert await ids(reviewed="false") == await ids(lowest=0.5) == {anomalous["id"]}
    assert await ids(highest=0.5) == {normal["id"]}
    assert await ids(until=since) == set()


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("size=0", "invalid-request"),
        ("size=1001", "invalid-request"),
        ("verdict=broken", "invalid-request"),
        ("decision=perhaps", "invalid-request"),
        ("since=yesterday", "invalid-request"),
        ("since=2026-01-01T00:00:00", "invalid-request"),  # of which zone?
        ("since=0001-01-01T00:00:00%2B23:00", "invalid-request"),
        ("lowest=nan", "invalid-request"),
        ("categori=can", "invalid-request"),
        ("cursor=..%2F..%2Fetc", "invalid-cursor"),
        ("cursor=AAAA", "invalid-cursor"),
    ],
)
async def test_a_wrong_question_is_told_what_is_wrong(kept: Service, query: str, slug: str) -> None:
    assert_problem(await kept.client.get(f"/verdicts?{query}"), 422, slug)


async def test_a_plus_in_a_time_need_not_be_escaped(kept: Service) -> None:
    answer = await kept.client.get("/verdicts?since=2026-01-01T00:00:00+01:00")
    assert answer.status_code == 200


PATHS = ["", "/photo", "/thumbnail", "/overlay", "/reviews"]


@pytest.mark.parametrize("path", PATHS)
async def test_an_id_that_nothing_has_is_404(kept: Service, path: str) -> None:
    for identity in (uuid7(), uuid4()):
        answer = await kept.client.get(f"/verdicts/{identity}{path}")
        assert_problem(answer, 404, "unknown-verdict")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("identity", ["..%2f..%2fetc%2fpasswd", "1%00", "x" * 500, "ab" * 32])
async def test_what_is_no_id_leads_nowhere(kept: Service, identity: str, path: str) -> None:
    answer = await kept.client.get(f"/verdicts/{identity}{path}")
    assert answer.status_code in (404, 422)
    assert answer.json()["type"] in ("urn:goodsguard:invalid-request", "urn:goodsguard:not-found")


async def test_the_photo_comes_back_as_it_was_sent(kept: Service) -> None:
    for kind, media in (("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")):
        photo = encode(plain((250, 10, 10), (64, 48)), kind)
        score = await scored(kept, photo)
        await written(kept)
        answer = await kept.client.get(f"/verdicts/{score['id']}/photo")
        assert (answer.content, answer.headers["content-type"]) == (photo, media)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_thumbnail_is_a_small_webp(kept: Service) -> None:
    score = await scored(kept, encode(plain((250, 10, 10), (1000, 500))))
    answer = await kept.client.get(f"/verdicts/{score['id']}/thumbnail")
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.size) == ("WEBP", (256, 128))


async def test_a_photo_that_is_not_kept_is_404_and_its_thumbnail_is_there(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on", records_photos="none") as service:
        score = await scored(service)
        path = f"/verdicts/{score['id']}"
        assert not (await shown(service, score["id"]))["photo_kept"]
        for picture in ("photo", "overlay", "thumbnail"):
            answer = await service.client.get(f"{path}/{picture}")
            assert answer.status_code in (404, 409), picture
        assert_problem(await service.client.get(f"{path}/photo"), 404, "photo-not-kept")
        assert_problem(await service.client.get(f"{path}/thumbnail"), 404, "photo-not-kept")
        assert not list((tmp_path / "records").rglob("photos/*/*"))


async def put(service: Service, identity: str, **review: Any) -> httpx.Response:
    return await service.client.put(f"/verdicts/{identity}/review", json=review)


async def test_reviews_are_appended_and_the_latest_counts(kept: Service) -> None:
    score = await scored(kept)
    box = {"left": 1, "top": 2, "right": 30.5, "bottom": 29}
    first = await put(
        kept, score["id"], decision="defective", defect="Dent", boxes=[box], note=NASTY
    )
    assert first.status_code == 200, first.text
    assert first.json()["who"] == "anyone"
    assert first.json()["boxes"] == [box]
    assert first.json()["note"] == NASTY
    second = await put(kept, score["id"], decision="good")
    history = (await kept.client.get(f"/verdicts/{score['id']}/reviews")).json()["items"]
    assert history == [first.json(), second.json()]
    assert (await shown(kept, score["id"]))["review"] == second.json()


async def test_a_review_that_is_sent_again_is_stored_once(kept: Service) -> None:
    score, identity = await scored(kept), str(uuid7())
    sent = {"decision": "defective", "defect": "scratch", "id": identity}
    first, again = await put(kept, score["id"], **sent), await put(kept, score["id"], **sent)
    assert first.json() == again.json()
    other = await put(kept, score["id"], **{**sent, "decision": "good"})
    assert_problem(other, 409, "review-conflict")
    assert len((await kept.client.get(f"/verdicts/{score['id']}/reviews")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("review", "slug"),
    [
        ({}, "invalid-request"),
        ({"decision": "maybe"}, "invalid-request"),
        ({"decision": "good", "reviewer": "me"}, "invalid-request"),
        ({"decision": "good", "note": "x" * 10_001}, "invalid-request"),
        ({"decision": "good", "note": "a\0b"}, "invalid-review"),
        ({"decision": "good", "id": "../x"}, "invalid-request"),
        (
            {"decision": "good", "boxes": [{"left": 5, "top": 0, "right": 1, "bottom": 9}]},
            "invalid-review",
        ),
        (
            {"decision": "good", "boxes": [{"left": 0, "top": 0, "right": 41, "bottom": 9}]},
            "invalid-review",
        ),
        (
            {"decision": "good", "boxes": [{"left": -1, "top": 0, "right": 4, "bottom": 9}]},
            "invalid-request",
        ),
    ],
)
async def test_a_review_that_cannot_be_is_refused(kept: Service, review: Json, slug: str) -> None:
    score = await scored(kept)
    assert_problem(await put(kept, score["id"], **review), 422, slug)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"decision": "\\ud800"}', b"\xff", b"[" * 100_000]
)
async def test_what_is_no_review_is_refused(kept: Service, body: bytes) -> None:
    score = await scored(kept)
    answer = await kept.client.put(f"/verdicts/{score['id']}/review", content=body)
    assert_problem(answer, 422, "invalid-request")


async def test_a_huge_body_is_not_read(kept: Service) -> None:
    answer = await kept.client.put(f"/verdicts/{uuid7()}/review", content=b" " * (1 << 20))
    assert_problem(answer, 413, "body-too-large")


async def test_a_review_of_nothing_is_404(kept: Service) -> None:
    assert_problem(await put(kept, str(uuid7()), decision="good"), 404, "unknown-verdict")


async def test_defect_types_are_offered_by_what_they_begin_with(kept: Service) -> None:
    score = await scored(kept)
    for name in ("Kink", "kink ", "kinky", "100%_x"):
        assert (await put(kept, score["id"], decision="defective", defect=name)).status_code == 200

    async def offered(prefix: str) -> list[tuple[str, int]]:
        answer = await kept.client.get("/defect-types", params={"prefix": prefix})
        return [(item["name"], item["number"]) for item in answer.json()["items"]]

    assert [number for _, number in await offered("KINK")] == [2, 1]
    assert await offered("100%_") == [("100%_x", 1)]
    assert await offered("%") == await offered("' OR 1=1 --") == []


async def test_csv_holds_what_the_pages_show_and_no_formula(kept: Service) -> None:
    score = await scored(kept)
    await put(kept, score["id"], decision="defective", defect="+1", note=NASTY)
    items = await listed(kept, size=1000)
    answer = await kept.client.get("/verdicts.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == [item["id"] for item in items]
    assert (rows[0]["note"], rows[0]["defect"]) == (f"'{NASTY}", "'+1")
    only = await kept.client.get("/verdicts.csv?category=nothing")
    assert len(only.text.splitlines()) == 1


async def test_parquet_holds_the_same(kept: Service) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    await scored(kept)
    items = await listed(kept, size=1000)
    answer = await kept.client.get("/verdicts.parquet")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.column("id").to_pylist() == [item["id"] for item in items]


async def test_a_csv_that_breaks_off_is_no_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client learns that the database went away while it read."""
    monkeypatch.setattr(export, "MAX_PAGE", 5)
    async with serve(tmp_path, records="on", records_photos="none") as service:
        long = [{"left": 0, "top": 0, "right": 1, "bottom": 1, "peak": 1.0, "area": 1}] * 600
        for _ in range(60):  # 3 MB
            one = draft(photo=b"x", width=None, regions=long)
            assert service.app.state.services.records.put(one)
        await written(service)
        async with (
            listening(service) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
        ):
            whole = (await client.get("/verdicts.csv")).content
            assert len(list(csv.DictReader(io.StringIO(whole.decode())))) == 60
            async with client.stream("GET", "/verdicts.csv") as answer:
                assert answer.status_code == 200
                pieces = answer.aiter_raw()
                got = len(await anext(pieces))
                with closing(sqlite3.connect(tmp_path / "records/goodsguard.db")) as database:
                    database.execute("DROP TABLE verdicts")
                with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                    got += sum([len(piece) async for piece in pieces])
            assert 0 < got < len(whole)
            assert await service.metric("goodsguard_problems_total", type="records-unavailable")
            assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_head_of_a_file_writes_none(
    kept: Service, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(export, "MAX_PAGE", 2)
    for _ in range(5):
        await scored(kept)
    await written(kept)
    whole = await kept.client.get(f"/verdicts.{kind}")
    pages: list[Any] = []

    def page(*asked: Any) -> Any:
        pages.append(asked)
        return reading.page(*asked)

    monkeypatch.setattr(export, "page", page)
    head = await kept.client.head(f"/verdicts.{kind}")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-disposition"):
        assert head.headers[name] == whole.headers[name]
    assert len(pages) <= 1  # which tells whether the records can be read


async def test_parquet_without_its_package_is_501(
    kept: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    body = assert_problem(await kept.client.get("/verdicts.parquet"), 501, "extra-missing")
    assert "goodsguard[parquet]" in body["detail"]


@pytest.fixture(scope="module")
async def patches(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """A bank with maps, and a camera that sees a part of each photo."""
    root = tmp_path_factory.mktemp("patches")
    artifacts.save(root / "models", built(root / "photos").artifact)
    (root / "cameras.toml").write_text("[cameras.half]\ncrop = [0.0, 0.0, 0.5, 1.0]\n")
    async with serve(
        root,
        network=CellRuntime(),
        records="on",
        records_photos="all",
        cameras=root / "cameras.toml",
    ) as running:
        yield running


@pytest.mark.parametrize("camera", [{}, {"camera": "half"}], ids=["whole", "half"])
async def test_the_overlay_is_that_of_the_answer(patches: Service, camera: dict[str, str]) -> None:
    score = (await patches.score(SPOTTED, heatmap="true", **camera)).json()
    judged = await patches.metric("goodsguard_verdicts_total", category="can")
    await written(patches)
    answer = await patches.client.get(f"/verdicts/{score['id']}/overlay")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == base64.b64decode(score["heatmap_png"])
    # It is no photo more.
    assert await patches.metric("goodsguard_verdicts_total", category="can") == judged


async def test_an_overlay_that_would_be_another_one_is_not_drawn(
    patches: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "LOOK_EVERY_S", 0.0)
    score = (await patches.score(SPOTTED, camera="half")).json()
    await written(patches)
    path = f"/verdicts/{score['id']}/overlay"
    cameras = patches.models.parent / "cameras.toml"
    before = cameras.read_text()
    for content, told in (
        ("[cameras.half]\ncrop = [0.5, 0.0, 1.0, 1.0]\n", "another score"),
        ("", "its camera cannot be asked"),
    ):
        cameras.write_text(content)
        body = assert_problem(await patches.client.get(path), 409, "no-overlay")
        assert told in body["detail"]
    cameras.write_text(before)
    assert (await patches.client.get(path)).status_code == 200


async def test_an_overlay_is_drawn_by_the_version_that_judged(tmp_path: Path) -> None:
    """Also once another one serves, as long as it is kept and whole."""
    models = tmp_path / "models"
    first, second = (
        built(tmp_path / "photos"),
        built(tmp_path / "photos", threshold={"rule": "quantile", "q": 0.5}),
    )
    artifacts.save(models, first.artifact)
    options: Json = {"network": CellRuntime(), "records": "on", "records_photos": "all"}
    async with serve(tmp_path, **options) as service:
        score = (await service.score(SPOTTED, heatmap="true")).json()
        await written(service)
        overlay = f"/verdicts/{score['id']}/overlay"
        artifacts.save(models, second.artifact)
        await service.client.post("/admin/reload")
        after = (await service.score(SPOTTED, heatmap="true")).json()
        assert after["bank_version"] != score["bank_version"]
        judged = await service.metric("goodsguard_verdicts_total", category="can")
        answer = await service.client.get(overlay)
        assert answer.status_code == 200, answer.text
        assert answer.content == base64.b64decode(score["heatmap_png"])
        assert await service.metric("goodsguard_verdicts_total", category="can") == judged
        assert service.app.state.services.inspector.depth == 0
        shutil.rmtree(models / "can" / score["bank_version"])
        body = assert_problem(await service.client.get(overlay), 409, "no-overlay")
        assert score["bank_version"] in body["detail"]
        assert "not kept any more" in body["detail"]
        assert (await service.score(SPOTTED)).status_code == 200


async def test_an_older_version_that_is_damaged_is_told_and_costs_nobody_else(
    tmp_path: Path,
) -> None:
    async with serve(tmp_path, records="on", records_photos="all") as service:
        score = await scored(service)
        await written(service)
        artifacts.save(service.models, make_artifact("can"))
        await service.client.post("/admin/reload")
        bank = service.models / "can" / score["bank_version"] / artifacts.BANK
        bank.write_bytes(bank.read_bytes()[:-1])
        answer = await service.client.get(f"/verdicts/{score['id']}/overlay")
        detail = assert_problem(answer, 409, "no-overlay")["detail"]
        assert "cannot be used any more" in detail
        assert "sha256" in detail
        assert str(tmp_path) not in detail
        assert (await service.score(GOOD)).status_code == 200
        assert (await service.client.get("/readyz")).status_code == 200


async def test_a_bank_without_maps_has_no_overlay(kept: Service) -> None:
    score = await scored(kept)
    await written(kept)
    answer = await kept.client.get(f"/verdicts/{score['id']}/overlay")
    assert_problem(answer, 409, "no-overlay")


async def test_deleting_takes_a_span_and_its_photos(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on", records_photos="all") as service:
        first = await scored(service, GOOD)
        await put(service, first["id"], decision="good")
        await written(service)
        between = datetime.now(UTC)
        second = await scored(service, DEFECTIVE)
        span = {"since": (between - timedelta(days=1)).isoformat(), "until": between.isoformat()}
        answer = await service.client.delete("/verdicts", params=span | {"category": "box"})
        assert answer.json()["verdicts"] == 0
        answer = await service.client.delete("/verdicts", params=span)
        assert answer.json() == {
            "verdicts": 1, "reviews": 1, "photos": 1, "photo_bytes": len(GOOD)
        }  # fmt: skip
        assert [item["id"] for item in await listed(service)] == [second["id"]]
        assert_problem(await service.client.get(f"/verdicts/{first['id']}"), 404, "unknown-verdict")
        files = [p for p in (tmp_path / "records/photos").rglob("*") if p.is_file()]
        assert [p.read_bytes() for p in files] == [DEFECTIVE]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "since=2026-01-01T00:00:00Z",
        "until=2026-01-01T00:00:00Z",
        "since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z",
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
    ],
)
async def test_an_empty_span_is_not_deleted(kept: Service, query: str) -> None:
    before = await listed(kept, size=1000)
    assert_problem(await kept.client.delete(f"/verdicts?{query}"), 422, "invalid-request")
    assert await listed(kept, size=1000) == before


async def test_without_records_photos_are_judged_and_nothing_is_written(tmp_path: Path) -> None:
    async with serve(tmp_path, records="off") as service:
        score = await scored(service)
        assert score["id"] is None
        for path in ("/verdicts", "/verdicts.csv", "/defect-types", f"/verdicts/{uuid7()}"):
            body = assert_problem(await service.client.get(path), 503, "records-unavailable")
            assert "GOODSGUARD_RECORDS" in body["detail"]
        state = (await service.client.get("/readyz")).json()["records"]
        assert (state["status"], state["lost"]) == ("off", {})
        assert await service.metric("goodsguard_records_up") == 1
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("fault", ["folder", "url", "driver", "server"])
async def test_records_that_cannot_be_opened_stop_nothing(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Json = {"records": "on"}
    if fault == "folder":
        (tmp_path / "records").write_text("a file where the folder should be")
    elif fault == "driver":
        monkeypatch.setitem(sys.modules, "psycopg", None)
        settings["database_url"] = "postgresql+psycopg://u:secret@127.0.0.1:1/x"
    else:
        urls = {"url": "mysql://u:secret@host/x", "server": "postgresql://u:secret@127.0.0.1:1/x"}
        settings["database_url"] = urls[fault]
    async with serve(tmp_path, **settings) as service:
        assert (await scored(service))["id"] is None
        ready = await service.client.get("/readyz")
        assert ready.status_code == 200
        state = ready.json()["records"]
        assert (state["status"], state["lost"]) == ("unavailable", {"not_open": 1})
        assert state["reason"]
        answer = await service.client.get("/verdicts")
        assert_problem(answer, 503, "records-unavailable")
        for text in (ready.text, answer.text):
            assert "secret" not in text
            assert str(tmp_path) not in text
        assert await service.metric("goodsguard_records_up") == 0
        assert await service.metric("goodsguard_records_lost_total", reason="not_open") == 1


async def test_a_score_is_answered_while_the_disk_is_broken(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on", records_photos="all") as service:
        await scored(service)
        await written(service)
        shutil.rmtree(tmp_path / "records" / "photos")
        (tmp_path / "records" / "photos").write_text("no folder any more")
        score = await scored(service, GOOD)
        await written(service)
        verdict = await shown(service, score["id"])
        assert not verdict["photo_kept"]
        state = (await service.client.get("/readyz")).json()["records"]
        assert (state["status"], state["photos_lost"]) == ("unavailable", {"folder": 1})
        assert str(tmp_path) not in str(state)
        assert await service.metric("goodsguard_records_photos_lost_total", reason="folder") == 1


async def test_a_database_that_is_held_delays_no_answer_and_no_reader(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on") as service:
        before = await scored(service)
        await written(service)
        other = sqlite3.connect(tmp_path / "records" / "goodsguard.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            review = asyncio.ensure_future(put(service, before["id"], decision="good"))
            async with asyncio.timeout(10):
                held = [await scored(service, GOOD) for _ in range(5)]
                assert (await shown(service, before["id"]))["review"] is None
                answer = await service.client.get(f"/verdicts/{held[0]['id']}")
                assert_problem(answer, 404, "unknown-verdict")
            assert not review.done()
        finally:
            other.execute("ROLLBACK")
            other.close()
        assert (await review).status_code == 200
        assert {one["id"] for one in [before, *held]} == {
            item["id"] for item in await listed(service)
        }


async def test_what_waits_is_written_when_the_service_ends(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on") as service:
        ids = {(await scored(service, GOOD))["id"] for _ in range(10)}
    async with serve(tmp_path, records="on") as service:
        assert {item["id"] for item in await listed(service)} == ids


async def test_metrics_count_what_is_written(kept: Service) -> None:
    before = await kept.metric("goodsguard_records_written_total")
    await scored(kept)
    await written(kept)
    assert await kept.metric("goodsguard_records_written_total") == before + 1
    assert await kept.metric("goodsguard_records_waiting") == 0
    assert await kept.metric("goodsguard_records_up") == 1
    state = (await kept.client.get("/readyz")).json()["records"]
    assert (state["status"], state["waiting"]) == ("on", 0)
    assert state["written"] == before + 1

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.core.store import artifact as artifacts
from app.core.threads import set_threads
from tests.integration.service import (
    CURSED,
    DEFECTIVE,
    GOOD,
    Chunks,
    Json,
    Service,
    assert_problem,
    serve,
    store_banks,
)
from tests.support import SPEC, bank_of, encode, make_artifact, plain

pytestmark = pytest.mark.anyio

REDUCED = SPEC.model_copy(update={"selected_dimensions": (0, 1)})
OTHER = SPEC.model_copy(update={"weights_sha256": "1" * 64})


@pytest.fixture(scope="module")
async def several(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """`can` and `box` share all, `bag` their network only, `jar` has another; `torn` is damaged."""
    root = tmp_path_factory.mktemp("several")
    models = root / "models"
    store_banks(models)
    vectors = bank_of(make_artifact()).vectors[:, :2].copy()
    artifacts.save(models, make_artifact("bag", spec=REDUCED, vectors=vectors))
    dark = np.zeros((3, 3), dtype=np.float32)
    artifacts.save(models, make_artifact("jar", spec=OTHER, vectors=dark))
    async with serve(root, watch_s=0, max_bytes=200_000) as running:
        yield running


async def ask(service: Service, photo: bytes, *categories: str, **params: str) -> httpx.Response:
    return await service.client.post(
        "/score",
        files={"file": ("p.png", photo)},
        params=[*(("category", name) for name in categories), *params.items()],
    )


async def results(service: Service, photo: bytes, *categories: str) -> list[Json]:
    answer = await ask(service, photo, *categories)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["results"]
    return found


SERVING = ("jar", "can", "bag", "box")


@pytest.mark.parametrize("photo", [GOOD, DEFECTIVE, encode(plain((90, 140, 20)))])
async def test_each_category_answers_as_it_does_alone(several: Service, photo: bytes) -> None:
    found = await results(several, photo, *SERVING)
    assert [item["category"] for item in found] == list(SERVING)
    for item in found:
        alone = (await several.score(photo, item["category"])).json()
        assert item["problem"] is None
        assert item["verdict"] == alone["verdict"]
        differ = {"id", "timings_ms", "request_id"}
        assert {k: v for k, v in item["result"].items() if k not in differ} == {
            k: v for k, v in alone.items() if k not in differ
        }


async def test_the_photo_says_of_which_goods_it_is(several: Service) -> None:
    black = encode(plain(0))
    scores = {i["category"]: i["result"]["score"] for i in await results(several, black, *SERVING)}
    assert min(scores, key=lambda name: scores[name]) == "jar"


@pytest.mark.parametrize(
    ("categories", "passes"),
    [(("can",), 1), (("can", "box"), 1), (("can", "box", "bag"), 1), (SERVING, 2), (("torn",), 0)],
)
async def test_categories_of_one_network_share_its_pass(
    several: Service, categories: tuple[str, ...], passes: int
) -> None:
    seen: list[int] = []
    sound = several.network.before
    several.network.before = lambda: seen.append(1)
    try:
        await results(several, GOOD, *categories)
    finally:
        several.network.before = sound
    assert len(seen) == passes


async def test_unknown_and_unavailable_ones_stand_beside_the_others(several: Service) -> None:
    found = await results(several, GOOD, "bottle", "can", "torn", "../can")
    assert [item["category"] for item in found] == ["bottle", "can", "torn", "../can"]
    assert [item["verdict"] for item in found] == ["unusable", "normal", "unusable", "unusable"]
    assert [item["result"] is None for item in found] == [True, False, True, True]
    unknown, _, torn, _ = (item["problem"] for item in found)
    assert (unknown["type"], unknown["status"]) == ("urn:goodsguard:unknown-category", 404)
    assert (torn["type"], torn["status"]) == ("urn:goodsguard:category-unavailable", 503)
    assert "sha256" in torn["detail"]


async def test_one_asked_twice_answers_once(several: Service) -> None:
    found = await results(several, GOOD, "can", "box", "can", "can")
    assert [item["category"] for item in found] == ["can", "box"]


@pytest.mark.parametrize(
    ("photo", "slug"), [(b"no image", "not-an-image"), (CURSED, "no-finite-score")]
)
async def test_a_photo_that_cannot_be_judged_is_so_for_each(
    several: Service, photo: bytes, slug: str
) -> None:
    async def counted(category: str) -> float:
        labels = {"category": category, "verdict": "unusable"}
        return await several.metric("goodsguard_verdicts_total", **labels)

    before = [await counted(name) for name in ("can", "box")]
    found = await results(several, photo, "can", "box")
    assert [item["verdict"] for item in found] == ["unusable", "unusable"]
    assert {item["problem"]["type"] for item in found} == {f"urn:goodsguard:{slug}"}
    assert [await counted(name) for name in ("can", "box")] == [n + 1 for n in before]


async def test_all_items_carry_the_requests_id(several: Service) -> None:
    answer = await ask(several, GOOD, "can", "bottle")
    given = answer.headers["x-request-id"]
    scored, unknown = answer.json()["results"]
    assert answer.json()["request_id"] == given
    assert scored["result"]["request_id"] == unknown["problem"]["request_id"] == given


async def test_the_photo_itself_may_be_the_body(several: Service) -> None:
    answer = await several.client.post(
        "/score?category=can&category=jar", content=GOOD, headers={"content-type": "image/png"}
    )
    assert [item["category"] for item in answer.json()["results"]] == ["can", "jar"]


@pytest.mark.parametrize("categories", [(), ("",), ("x" * 65,), tuple(map(str, range(65)))])
async def test_no_or_too_many_or_too_long_names_are_refused(
    several: Service, categories: tuple[str, ...]
) -> None:
    answer = await ask(several, GOOD, *categories)
    if categories == ("",):  # a name like any other that nobody has
        assert answer.json()["results"][0]["verdict"] == "unusable"
    else:
        assert_problem(answer, 422, "invalid-request")


async def test_limits_are_those_of_a_single_photo(several: Service) -> None:
    assert_problem(await ask(several, bytes(200_001), "can"), 413, "body-too-large")
    answer = await several.client.post("/score?category=can", json={})
    assert_problem(answer, 415, "unsupported-media-type")


async def test_a_network_that_fails_fails_the_request(tmp_path: Path) -> None:
    async with serve(tmp_path, watch_s=0) as service:

        def fail() -> None:
            raise RuntimeError("driver gone")

        service.network.before = fail
        assert_problem(await ask(service, GOOD, "can", "box"), 503, "network-failed")
        service.network.before = lambda: None
        assert (await ask(service, GOOD, "can", "box")).status_code == 200
        assert await service.metric("goodsguard_queue_depth") == 0


async def test_no_more_categories_than_a_batch_has_photos(tmp_path: Path) -> None:
    """Counted once each, and before the photo is read."""
    async with serve(tmp_path, watch_s=0, max_batch=2) as service:
        assert (await ask(service, GOOD, "can", "box", "can")).status_code == 200
        body = Chunks()
        answer = await service.client.post(
            "/score?category=can&category=box&category=bottle&heatmap=true",
            content=body,
            headers={"content-type": "image/png"},
        )
        detail = assert_problem(answer, 422, "invalid-request")["detail"]
        assert "3 are asked for, 2 may be (GOODSGUARD_MAX_BATCH)" in detail
        assert body.taken == 0


async def test_with_overlays_each_category_takes_a_place(tmp_path: Path) -> None:
    """Three want one place each, and two of four are free: refused before the photo is read."""
    store_banks(tmp_path / "models")
    artifacts.save(tmp_path / "models", make_artifact("bag"))
    async with serve(tmp_path, watch_s=0, queue_size=4) as service:
        release = threading.Event()
        service.network.before = lambda: release.wait(20)
        held = asyncio.create_task(ask(service, GOOD, "can", "box", "nothing", heatmap="true"))
        while await service.metric("goodsguard_queue_depth") != 2:
            assert not held.done()
        body = Chunks()
        answer = await service.client.post(
            "/score?category=can&category=box&category=bag&heatmap=true",
            content=body,
            headers={"content-type": "image/png"},
        )
        assert_problem(answer, 429, "overloaded")
        assert body.taken == 0
        release.set()
        assert (await held).status_code == 200
        answer = await ask(service, GOOD, "can", "box", "bag", heatmap="true")
        assert answer.status_code == 200


async def test_a_service_that_starts_empty_suits_the_banks_that_come(tmp_path: Path) -> None:
    """An engine that uses all cores for a photo gets one at a time from its first on."""
    (tmp_path / "models").mkdir()
    at_once: list[int] = []
    lock = threading.Lock()
    now = 0

    def before() -> None:
        nonlocal now
        with lock:
            now += 1
            at_once.append(now)
        time.sleep(0.02)
        with lock:
            now -= 1

    try:
        async with serve(tmp_path, watch_s=0, threads=4) as service:
            artifacts.save(service.models, make_artifact("can"))
            assert (await service.client.post("/admin/reload")).status_code == 200
            service.network.before = before
            await asyncio.gather(*(service.score(GOOD) for _ in range(6)))
    finally:
        set_threads(1)
    assert at_once == [1] * 6

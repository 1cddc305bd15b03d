from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.store import artifact as artifacts
from app.service.reloads import Reloaded
from tests.integration.service import DEFECTIVE, GOOD, Json, Service, assert_problem, serve
from tests.support import make_artifact, version_number

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = (version_number(number) for number in (1, 2, 3))


def save(models: Path, version: str, category: str = "can", **options: Any) -> None:
    artifacts.save(models, make_artifact(category, version=version, **options))


def damage(models: Path, version: str, name: str = artifacts.BANK, category: str = "can") -> None:
    path = models / category / version / name
    path.write_bytes(path.read_bytes()[:-5])


@pytest.fixture
async def banks(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Service]:
    """`can` in two versions, `box` in one; nobody watches the folder."""
    save(tmp_path / "models", ONE, threshold=9.0)
    save(tmp_path / "models", TWO)
    save(tmp_path / "models", ONE, "box")
    async with serve(tmp_path, watch_s=0) as running:
        yield running


async def reload(service: Service) -> dict[str, Json]:
    answer = await service.client.post("/admin/reload")
    assert answer.status_code == 200, answer.text
    return {item["category"]: item for item in answer.json()["results"]}


async def version_of(service: Service, category: str = "can") -> str:
    version: str = (await service.score(GOOD, category)).json()["bank_version"]
    return version


async def test_a_reload_takes_up_a_new_version_and_answers_name_it(banks: Service) -> None:
    assert await version_of(banks) == TWO
    save(banks.models, THREE)
    assert await version_of(banks) == TWO  # nobody has asked for it yet
    results = await reload(banks)
    assert results["can"] == {
        "category": "can", "outcome": "loaded", "bank_version": THREE, "reason": None,
    }  # fmt: skip
    assert (results["box"]["outcome"], results["box"]["bank_version"]) == ("unchanged", ONE)
    assert await version_of(banks) == THREE
    shown = (await banks.client.get("/categories/can")).json()
    assert (shown["state"], shown["bank_version"]) == ("ready", THREE)
    labels = {"category": "can", "preset": "colour"}
    assert await banks.metric("goodsguard_bank_info", **labels, bank_version=THREE) == 1
    assert await banks.metric("goodsguard_bank_info", **labels, bank_version=TWO) == 0


class Hold:
    """Holds the network's threads, and lets self-tests on other ones pass."""

    def __init__(self) -> None:
        self.entered, self.release = threading.Event(), threading.Event()

    def __call__(self) -> None:
        if threading.current_thread().name.startswith("network"):
            self.entered.set()
            assert self.release.wait(20)


@pytest.mark.parametrize("path", ["/score/can", "/score?category=can&category=box"])
async def test_a_request_under_way_finishes_on_the_version_it_began_with(
    banks: Service, path: str
) -> None:
    banks.network.before = hold = Hold()
    under_way = asyncio.create_task(banks.client.post(path, files={"file": GOOD}))
    try:
        assert await asyncio.to_thread(hold.entered.wait, 20)
        save(banks.models, THREE)
        shutil.rmtree(banks.models / "box")
        results = await reload(banks)
        assert {name: item["outcome"] for name, item in results.items()} == {
            "can": "loaded", "box": "removed",
        }  # fmt: skip
        assert not under_way.done()
    finally:
        hold.release.set()
    answer = (await under_way).json()
    if "results" in answer:
        found = {item["category"]: item["result"]["bank_version"] for item in answer["results"]}
        assert found == {"can": TWO, "box": ONE}
    else:
        assert answer["bank_version"] == TWO
    assert await version_of(banks) == THREE
    assert_problem(await banks.score(GOOD, "box"), 404, "unknown-category")


async def test_a_reload_that_fails_is_told_and_changes_nothing(banks: Service) -> None:
    save(banks.models, THREE)
    damage(banks.models, THREE)
    (item,) = [i for i in (await reload(banks)).values() if i["outcome"] == "failed"]
    assert (item["category"], item["bank_version"]) == ("can", TWO)
    assert "sha256" in item["reason"]
    readiness = await banks.client.get("/readyz")
    assert readiness.status_code == 200
    assert readiness.json()["categories"] == {"can": "ready", "box": "ready"}
    assert readiness.json()["reloads"] == {"can": item["reason"]}
    assert await version_of(banks) == TWO
    assert await banks.metric("goodsguard_category_up", category="can") == 1
    save(banks.models, version_number(4))
    await reload(banks)
    assert (await banks.client.get("/readyz")).json()["reloads"] == {}
    assert await version_of(banks) == version_number(4)


async def test_a_category_whose_bank_was_damaged_serves_after_a_new_build(banks: Service) -> None:
    save(banks.models, ONE, "torn")
    damage(banks.models, ONE, category="torn")
    await reload(banks)
    assert_problem(await banks.score(GOOD, "torn"), 503, "category-unavailable")
    assert await banks.metric("goodsguard_category_up", category="torn") == 0
    save(banks.models, TWO, "torn")
    await reload(banks)
    assert await version_of(banks, "torn") == TWO
    assert await banks.metric("goodsguard_category_up", category="torn") == 1


async def test_reloads_are_counted_by_what_became_of_them(banks: Service) -> None:
    async def counted() -> dict[str, float]:
        outcomes = ("loaded", "unchanged", "failed", "removed")
        return {o: await banks.metric("goodsguard_reloads_total", outcome=o) for o in outcomes}

    assert set((await counted()).values()) == {0}
    save(banks.models, THREE)
    shutil.rmtree(banks.models / "box")
    save(banks.models, ONE, "bag")
    damage(banks.models, ONE, category="bag")
    await reload(banks)
    assert await counted() == {"loaded": 1, "unchanged": 0, "failed": 1, "removed": 1}
    await reload(banks)
    assert await counted() == {"loaded": 1, "unchanged": 1, "failed": 2, "removed": 1}
    await banks.client.post("/admin/categories/can/rollback")
    assert (await counted())["loaded"] == 2


async def test_many_reloads_and_photos_at_once(banks: Service) -> None:
    async def build() -> None:
        for number in range(10, 16):
            await asyncio.to_thread(save, banks.models, version_number(number))
            await asyncio.sleep(0.01)

    jobs = [reload(banks) for _ in range(8)]
    photos = [banks.score(photo) for photo in (GOOD, DEFECTIVE) * 8]
    *answers, _ = await asyncio.gather(*photos, *jobs, build())
    scored = [a for a in answers if isinstance(a, httpx.Response)]
    assert [a.json()["verdict"] for a in scored] == ["normal", "anomalous"] * 8
    await reload(banks)
    assert await version_of(banks) == version_number(15)


async def test_a_rollback_goes_to_the_version_before_and_outlasts_a_restart(
    banks: Service,
) -> None:
    assert (await banks.score(DEFECTIVE)).json()["verdict"] == "anomalous"
    answer = await banks.client.post("/admin/categories/can/rollback")
    assert (answer.status_code, answer.json()) == (
        200,
        {"category": "can", "outcome": "loaded", "bank_version": ONE, "reason": None},
    )
    scored = (await banks.score(DEFECTIVE)).json()
    # Its threshold is another one, and with it the verdict.
    assert (scored["bank_version"], scored["threshold"], scored["verdict"]) == (ONE, 9.0, "normal")
    assert (await reload(banks))["can"]["outcome"] == "unchanged"
    async with serve(banks.models.parent, watch_s=0) as restarted:
        assert await version_of(restarted) == ONE


async def test_a_rollback_to_a_version_by_name(banks: Service) -> None:
    save(banks.models, THREE)
    await reload(banks)
    for version in (ONE, THREE, TWO):
        answer = await banks.client.post("/admin/categories/can/rollback", params={"to": version})
        assert answer.json()["bank_version"] == version
        assert await version_of(banks) == version


@pytest.mark.parametrize(
    ("category", "to", "status", "slug"),
    [
        ("box", None, 409, "no-such-version"),
        ("can", THREE, 409, "no-such-version"),
        ("can", "latest", 422, "invalid-request"),
        ("can", "../../etc/passwd", 422, "invalid-request"),
        ("can", f"{ONE}\n", 422, "invalid-request"),
        ("bag", None, 404, "unknown-category"),
        ("bag", ONE, 404, "unknown-category"),
        ("..", ONE, 404, "not-found"),
        ("%2e%2e", ONE, 404, "unknown-category"),
    ],
)
async def test_a_rollback_that_cannot_be(
    banks: Service, category: str, to: str | None, status: int, slug: str
) -> None:
    answer = await banks.client.post(
        f"/admin/categories/{category}/rollback", params={"to": to} if to else {}
    )
    assert_problem(answer, status, slug)
    assert await version_of(banks) == artifacts.current_version(banks.models / "can") == TWO


async def test_a_rollback_to_a_damaged_version_is_409_with_the_reason(banks: Service) -> None:
    damage(banks.models, ONE)
    answer = await banks.client.post("/admin/categories/can/rollback")
    assert "sha256" in assert_problem(answer, 409, "bank-unusable")["detail"]
    assert await version_of(banks) == artifacts.current_version(banks.models / "can") == TWO


async def test_a_rollback_to_a_version_that_fails_its_self_test_is_409(banks: Service) -> None:
    wrong = make_artifact(version=THREE)
    wrong.golden.scores[:] = 5
    artifacts.save(banks.models, wrong)
    answer = await banks.client.post("/admin/categories/can/rollback", params={"to": THREE})
    assert "golden" in assert_problem(answer, 409, "bank-unusable")["detail"]


async def test_a_rollback_whose_network_answers_nan_is_409(banks: Service) -> None:
    """Not the 422 of a photo, nor a 500."""
    cursed = make_artifact(version=THREE)
    cursed.golden.pixels[:] = (0, 255, 255)
    artifacts.save(banks.models, cursed)
    answer = await banks.client.post("/admin/categories/can/rollback", params={"to": THREE})
    assert "finite" in assert_problem(answer, 409, "bank-unusable")["detail"]
    assert await version_of(banks) == TWO


async def test_a_folder_that_cannot_be_written_is_409(banks: Service) -> None:
    (banks.models / "can" / ".lock").unlink()
    (banks.models / "can" / ".lock").mkdir()
    answer = await banks.client.post("/admin/categories/can/rollback")
    body = assert_problem(answer, 409, "not-writable")
    assert str(banks.models) not in body["detail"]
    assert await version_of(banks) == TWO


async def test_versions_are_listed_newest_first(banks: Service) -> None:
    save(banks.models, THREE, threshold=0.25)
    damage(banks.models, ONE, artifacts.MANIFEST)
    answer = await banks.client.get("/admin/categories/can/versions")
    assert answer.status_code == 200
    assert answer.json()["category"] == "can"
    listed = answer.json()["versions"]
    assert [(v["bank_version"], v["is_serving"], v["is_current"]) for v in listed] == [
        (THREE, False, True), (TWO, True, False), (ONE, False, False),
    ]  # fmt: skip
    newest, _, damaged = listed
    assert (newest["threshold"], newest["preset"], newest["vectors"]) == (0.25, "colour", 10)
    assert newest["reason"] is None
    assert (damaged["threshold"], damaged["preset"]) == (None, None)
    assert "manifest.json" in damaged["reason"]


async def test_versions_of_a_category_that_is_gone_or_unknown(banks: Service) -> None:
    unknown = await banks.client.get("/admin/categories/bag/versions")
    assert_problem(unknown, 404, "unknown-category")
    shutil.rmtree(banks.models / "box")
    gone = await banks.client.get("/admin/categories/box/versions")
    assert (gone.status_code, gone.json()["versions"]) == (200, [])


async def test_new_versions_are_taken_up_by_themselves(tmp_path: Path) -> None:
    save(tmp_path / "models", ONE)
    async with serve(tmp_path, watch_s=0.05) as service:
        assert await version_of(service) == ONE
        save(tmp_path / "models", TWO)
        await until(service, TWO)
        damage(tmp_path / "models", ONE)
        (tmp_path / "models" / "can" / artifacts.CURRENT).write_text(ONE)
        async with asyncio.timeout(20):
            while not (await service.client.get("/readyz")).json()["reloads"]:
                await asyncio.sleep(0.02)
        await rounds(service, 3)  # it is not tried again and again
        assert await version_of(service) == TWO
        assert await service.metric("goodsguard_reloads_total", outcome="loaded") == 1
        assert await service.metric("goodsguard_reloads_total", outcome="failed") == 1
        save(tmp_path / "models", THREE)
        await until(service, THREE)
        shutil.rmtree(tmp_path / "models")
        await rounds(service, 3)
        assert await version_of(service) == THREE


async def rounds(service: Service, count: int) -> None:
    """Wait until the banks have been looked for so often, from beginning to end."""
    reloads = service.app.state.services.reloads
    watch, ended = reloads.watch, threading.Semaphore(0)

    def counted() -> list[Reloaded]:
        try:
            results: list[Reloaded] = watch()
            return results
        finally:
            ended.release()

    reloads.watch = counted
    for _ in range(count):
        assert await asyncio.to_thread(ended.acquire, timeout=20)
    reloads.watch = watch


async def until(service: Service, version: str) -> None:
    async with asyncio.timeout(20):
        while await version_of(service) != version:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/admin/reload"),
        ("POST", "/admin/categories/can/rollback"),
        ("GET", "/admin/categories/can/versions"),
    ],
)
async def test_only_this_machine_or_an_admins_key_may_do_that(
    tmp_path: Path, method: str, path: str
) -> None:
    """Even where photos may be scored by all."""
    save(tmp_path / "models", ONE)
    save(tmp_path / "models", TWO)
    async with serve(tmp_path, allow_anonymous=True, watch_s=0) as service:
        stranger = await service.client.request(method, path, headers={"Host": "shop.example"})
        assert_problem(stranger, 403, "forbidden")
        assert (await service.client.request(method, path)).status_code == 200
    async with serve(tmp_path, api_keys=("plain-score-key-0123",), watch_s=0) as service:
        assert_problem(await service.client.request(method, path), 401, "unauthorised")
        headers = {"X-API-Key": "plain-score-key-0123"}
        scorer = await service.client.request(method, path, headers=headers)
        assert_problem(scorer, 403, "forbidden")

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.integration.service import Service, assert_problem, serve
from tests.unit.core.evaluating.test_evaluation import AT_THRESHOLD, PROMISED

pytestmark = pytest.mark.anyio


async def until_done(service: Service) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            status: dict[str, Any] = (await service.client.get("/evaluate/can")).json()
            if status["state"] in ("done", "failed"):
                return status
            await asyncio.sleep(0.01)


async def test_before_the_first_evaluation_there_is_none(service: Service) -> None:
    status = (await service.client.get("/evaluate/box")).json()
    assert (status["state"], status["result"]) == ("none", None)


async def test_an_evaluation_starts_with_202_and_ends_done(service: Service) -> None:
    answer = await service.client.post("/evaluate/can")
    assert answer.status_code == 202
    assert answer.json()["state"] in ("queued", "running", "done")
    assert answer.json()["progress"]["total"] == 7
    status = await until_done(service)
    assert status["state"] == "done"
    assert status["progress"] == {"done": 7, "total": 7}
    assert status["result"]["n_good"] == 4


async def test_waiting_answers_200_with_the_result(service: Service) -> None:
    answer = await service.client.post("/evaluate/can", params={"wait": "true"})
    assert answer.status_code == 200
    result = answer.json()
    assert set(result) >= PROMISED
    assert result["engine"] == "torch float32"
    assert set(result["at_threshold"]) >= AT_THRESHOLD
    assert (result["auroc"], result["n_defective"]) == (1.0, 3)


async def test_all_evaluations_are_listed_for_categories_that_serve(service: Service) -> None:
    await service.client.post("/evaluate/can", params={"wait": "true"})
    listed = (await service.client.get("/evaluate")).json()["evaluations"]
    assert [(e["category"], e["state"]) for e in listed] == [("box", "none"), ("can", "done")]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("category", "status", "slug"),
    [("bottle", 404, "unknown-category"), ("torn", 503, "category-unavailable")],
)
async def test_a_category_that_cannot_serve(
    service: Service, method: str, category: str, status: int, slug: str
) -> None:
    answer = await service.client.request(method, f"/evaluate/{category}")
    assert_problem(answer, status, slug)


async def test_an_evaluation_ends_when_the_service_begins_to_stop(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("stopping")) as service:
        passing, free = threading.Event(), threading.Event()

        def before() -> None:
            passing.set()
            assert free.wait(20)

        service.network.before = before
        waiting = service.client.post("/evaluate/can", params={"wait": "true"})
        asked = asyncio.create_task(waiting)
        assert await asyncio.to_thread(passing.wait, 20)
        for tell in service.app.state.services.drain.on_begin:
            tell()
        free.set()
        body = assert_problem(await asked, 503, "category-unavailable")
        assert body["detail"] == "the service is stopping"
        job = (await service.client.get("/evaluate/can")).json()
        assert (job["state"], job["error"]) == ("failed", "the service is stopping")


async def test_no_stored_test_split_is_409(service: Service) -> None:
    assert_problem(await service.client.post("/evaluate/box"), 409, "no-test-split")


async def test_no_data_folder_is_409_and_names_the_setting(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("bare"), data_dir=None) as service:
        body = assert_problem(await service.client.post("/evaluate/can"), 409, "no-test-split")
        assert "GOODSGUARD_DATA_DIR" in body["detail"]


async def test_an_invalid_wait_is_422(service: Service) -> None:
    answer = await service.client.post("/evaluate/can", params={"wait": "long"})
    assert_problem(answer, 422, "invalid-request")


async def test_a_job_under_way_is_joined_and_its_progress_shown(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("slow")) as service:
        release, batches = threading.Event(), []

        def before() -> None:
            batches.append(1)
            release.wait(20)

        service.network.before = before
        try:
            first = await service.client.post("/evaluate/can")
            second = await service.client.post("/evaluate/can")
            assert (first.status_code, second.status_code) == (202, 202)
            status = (await service.client.get("/evaluate/can")).json()
            assert status["state"] in ("queued", "running")
            assert status["progress"]["done"] == 0
        finally:
            release.set()
        assert (await until_done(service))["state"] == "done"
        assert len(batches) == 7


async def test_a_failed_evaluation_says_so_without_details(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def fail() -> None:
        raise KeyError("/secret/path")

    async with serve(tmp_path_factory.mktemp("failing")) as service:
        service.network.before = fail
        await service.client.post("/evaluate/can")
        status = await until_done(service)
        assert (status["state"], status["error"]) == ("failed", "unforeseen KeyError")
        answer = await service.client.post("/evaluate/can", params={"wait": "true"})
        assert_problem(answer, 500, "internal")
        assert "secret" not in answer.text


async def test_a_result_outlives_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("restart")
    async with serve(root) as service:
        done = (await service.client.post("/evaluate/can", params={"wait": "true"})).json()
    async with serve(root) as service:
        status = (await service.client.get("/evaluate/can")).json()
        assert (status["state"], status["result"]) == ("done", done)


async def test_photos_are_scored_while_an_evaluation_runs(service: Service) -> None:
    from tests.integration.service import GOOD

    await service.client.post("/evaluate/can")
    assert (await service.score(GOOD)).status_code == 200
    assert (await until_done(service))["state"] == "done"


async def test_test_photos_that_were_learnt_from_are_told(service: Service) -> None:
    folder = service.data / "can"
    learnt = sorted((folder / "train" / "good").iterdir())[0]
    (folder / "test" / "good" / "again.png").write_bytes(learnt.read_bytes())
    result = (await service.client.post("/evaluate/can?wait=true")).json()
    assert any("1 of 8 test photos lie in train/good, too" in text for text in result["remarks"])

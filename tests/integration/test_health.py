from __future__ import annotations

import re

import pytest

from tests.integration.service import DEFECTIVE, GOOD, Service, assert_problem, serve

pytestmark = pytest.mark.anyio


async def test_the_process_is_alive(service: Service) -> None:
    answer = await service.client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_ready_with_each_categorys_state(service: Service) -> None:
    answer = await service.client.get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "ready")
    assert (body["categories"]["can"], body["categories"]["box"]) == ("ready", "ready")
    assert "sha256" in body["categories"]["torn"]


async def test_no_category_is_not_ready(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("empty")
    (root / "models").mkdir()
    async with serve(root) as service:
        answer = await service.client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
        assert answer.json()["categories"] == {}
        assert (await service.client.get("/livez")).status_code == 200


async def test_a_models_folder_that_is_not_there_is_not_ready(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("absent")
    async with serve(root, models_dir=root / "nowhere") as service:
        assert (await service.client.get("/readyz")).status_code == 503
        assert_problem(await service.score(GOOD), 404, "unknown-category")


async def test_requests_are_counted_by_route_and_status(service: Service) -> None:
    async def counted(status: str) -> float:
        return await service.metric(
            "goodsguard_requests_total", route="/score/{category}", method="POST", status=status
        )

    before = await counted("200"), await counted("422")
    await service.score(GOOD)
    await service.score(b"no image")
    assert (await counted("200"), await counted("422")) == (before[0] + 1, before[1] + 1)


async def test_verdicts_are_counted_by_category(service: Service) -> None:
    async def counted(verdict: str) -> float:
        return await service.metric("goodsguard_verdicts_total", category="can", verdict=verdict)

    verdicts = ("normal", "anomalous", "unusable")
    before = [await counted(v) for v in verdicts]
    await service.batch(GOOD, GOOD, DEFECTIVE, b"no image")
    assert [await counted(v) for v in verdicts] == [before[0] + 2, before[1] + 1, before[2] + 1]


async def test_an_unusable_photo_is_counted_alone_as_in_a_batch(service: Service) -> None:
    async def counted() -> float:
        return await service.metric("goodsguard_verdicts_total", category="can", verdict="unusable")

    before = await counted()
    await service.score(b"no image")
    assert await counted() == before + 1


async def test_problems_are_counted_by_type(service: Service) -> None:
    before = await service.metric("goodsguard_problems_total", type="not-an-image")
    await service.score(b"no image")
    assert await service.metric("goodsguard_problems_total", type="not-an-image") == before + 1


@pytest.mark.parametrize("stage", ["decode", "wait", "embed", "search"])
async def test_every_stage_is_measured(service: Service, stage: str) -> None:
    before = await service.metric("goodsguard_stage_seconds_count", stage=stage)
    await service.score(GOOD)
    assert await service.metric("goodsguard_stage_seconds_count", stage=stage) == before + 1


async def test_metrics_say_which_categories_are_up(service: Service) -> None:
    assert await service.metric("goodsguard_category_up", category="can") == 1
    assert await service.metric("goodsguard_category_up", category="torn") == 0
    assert await service.metric("goodsguard_bank_info", category="can", preset="colour") == 1


async def test_paths_that_do_not_exist_make_no_new_labels(service: Service) -> None:
    for path in ("/a", "/b", "/c"):
        assert_problem(await service.client.get(path), 404, "not-found")
    text = (await service.client.get("/metrics")).text
    assert 'route="/a"' not in text
    assert await service.metric("goodsguard_requests_total", route="unmatched", status="404") >= 3


async def test_a_method_that_a_route_does_not_have_is_405(service: Service) -> None:
    answer = await service.client.get("/score/can")
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("given", ["abc-123", "A.b_9", "x" * 64])
@pytest.mark.parametrize("path", ["/livez", "/categories/bottle", "/nowhere"])
async def test_a_given_request_id_is_echoed(service: Service, given: str, path: str) -> None:
    answer = await service.client.get(path, headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given
    if answer.status_code != 200:
        assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "<script>", "é"])
async def test_an_unfit_request_id_is_replaced(service: Service, given: str) -> None:
    answer = await service.client.get("/livez", headers={b"X-Request-ID": given.encode("latin-1")})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_a_score_carries_its_request_id(service: Service) -> None:
    answer = await service.score(GOOD)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]

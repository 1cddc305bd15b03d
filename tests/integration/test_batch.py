from __future__ import annotations

import pytest

from tests.integration.service import CURSED, DEFECTIVE, GOOD, Service, assert_problem, serve
from tests.support import GREYS, encode, plain, png, textured

pytestmark = pytest.mark.anyio


async def test_results_come_in_the_order_of_the_files(service: Service) -> None:
    photos = [encode(plain(g)) for g in (GREYS[0], 3, 250)] + [DEFECTIVE]
    answer = (await service.batch(*photos)).json()
    alone = [(await service.score(photo)).json()["score"] for photo in photos]
    assert [r["filename"] for r in answer["results"]] == ["0.png", "1.png", "2.png", "3.png"]
    assert [r["result"]["score"] for r in answer["results"]] == alone


async def test_one_problem_or_one_result_per_file(service: Service) -> None:
    truncated = encode(textured(64, 64), "JPEG")[:-200]
    huge = png(50_000, 50_000, 8, 2, None)
    answer = await service.batch(b"no image", GOOD, truncated, DEFECTIVE, huge)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [r["verdict"] for r in results] == [
        "unusable", "normal", "unusable", "anomalous", "unusable",
    ]  # fmt: skip
    assert [r["result"] is None for r in results] == [True, False, True, False, True]
    assert [r["problem"] and r["problem"]["type"] for r in results] == [
        "urn:goodsguard:not-an-image",
        None,
        "urn:goodsguard:corrupt-image",
        None,
        "urn:goodsguard:too-many-pixels",
    ]


async def test_a_photo_without_a_finite_score_does_not_cost_the_others(service: Service) -> None:
    answer = await service.batch(GOOD, CURSED, DEFECTIVE)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [r["verdict"] for r in results] == ["normal", "unusable", "anomalous"]
    assert results[1]["problem"]["type"] == "urn:goodsguard:no-finite-score"


async def test_nothing_but_broken_files_is_still_an_answer(service: Service) -> None:
    results = (await service.batch(b"a", b"b")).json()["results"]
    assert [r["verdict"] for r in results] == ["unusable", "unusable"]


async def test_one_file_is_a_batch(service: Service) -> None:
    answer = (await service.batch(GOOD)).json()
    assert (answer["category"], len(answer["results"])) == ("can", 1)


async def test_a_batch_carries_its_request_id(service: Service) -> None:
    answer = await service.batch(GOOD, b"broken")
    body = answer.json()
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["results"][1]["problem"]["request_id"] == body["request_id"]


@pytest.mark.parametrize(
    ("category", "status", "slug"),
    [("bottle", 404, "unknown-category"), ("torn", 503, "category-unavailable")],
)
async def test_a_category_that_cannot_serve_fails_the_whole_batch(
    service: Service, category: str, status: int, slug: str
) -> None:
    assert_problem(await service.batch(GOOD, category=category), status, slug)


async def test_no_files_are_422(service: Service) -> None:
    answer = await service.client.post("/score/can/batch", files={"file": GOOD})
    assert_problem(answer, 422, "bad-upload")


async def test_a_raw_body_is_415(service: Service) -> None:
    answer = await service.client.post(
        "/score/can/batch", content=GOOD, headers={"content-type": "image/png"}
    )
    assert_problem(answer, 415, "unsupported-media-type")


async def test_more_files_than_a_batch_may_have_are_422(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("small"), max_batch=2) as service:
        assert (await service.batch(GOOD, GOOD)).status_code == 200
        assert_problem(await service.batch(GOOD, GOOD, GOOD), 422, "bad-upload")


async def test_one_file_over_the_byte_limit_does_not_cost_the_others(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("small"), max_bytes=2_000) as service:
        results = (await service.batch(GOOD, GOOD + bytes(2_000))).json()["results"]
        assert [r["verdict"] for r in results] == ["normal", "unusable"]
        assert results[1]["problem"]["type"] == "urn:goodsguard:body-too-large"

"""What clients are told of slips in a request."""

from __future__ import annotations

import pytest

from tests.integration.service import GOOD, Service, assert_problem

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/score/can?heatmap=ja", "query.heatmap: heatmap is true or false (not 'ja')"),
        (
            "/score",
            "is missing: name it as ?category=… (repeatable), or a camera that has places",
        ),
        ("/admin/categories/can/rollback?to=nonsense", "a bank version such as 20260131T120000Z-"),
        ("/score/can?heat_map=true", "no parameter 'heat_map' here: did you mean heatmap?"),
        ("/score?category=can&categorie=box", "'categorie' here: did you mean category?"),
        (
            "/score/can/batch?debug=1",
            "no parameter 'debug' here: there is camera, heatmap",
        ),
        ("/evaluate/can?await=true", "no parameter 'await' here: did you mean wait?"),
        ("/admin/reload?category=can", "no parameter 'category' here: there is none"),
        ("/score/can?<script>=1", "no such parameter here: there is camera, explain, heatmap"),
    ],
)
async def test_a_parameter_that_is_wrong_is_told_with_what_is_right(
    service: Service, path: str, words: str
) -> None:
    answer = await service.client.post(path, files={"file": GOOD})
    detail = assert_problem(answer, 422, "invalid-request")["detail"]
    assert words in detail
    assert "script" not in detail


@pytest.mark.parametrize("path", ["/score/can?heatmap=true", "/score?category=can&category=box"])
async def test_parameters_there_are_are_taken(service: Service, path: str) -> None:
    answer = await service.client.post(path, files={"file": GOOD})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/categories/{}", "/evaluate/{}", "/admin/categories/{}/versions"]
)
async def test_an_unknown_category_is_told_with_those_there_are(
    service: Service, path: str
) -> None:
    for name, words in (
        ("Can", "there is no category 'Can': its name here is can"),
        ("bottle", "there is no category 'bottle'; there are box, can, torn (see GET /categories)"),
    ):
        answer = await service.client.get(path.format(name))
        assert assert_problem(answer, 404, "unknown-category")["detail"] == words


async def test_a_path_that_leads_nowhere_and_a_wrong_method_say_what_there_is(
    service: Service,
) -> None:
    nowhere = await service.client.post("/predict", files={"file": GOOD})
    detail = assert_problem(nowhere, 404, "not-found")["detail"]
    assert "photos go to POST /score/{category}" in detail
    assert "/docs" in detail
    answer = await service.client.get("/score/can")
    detail = assert_problem(answer, 405, "method-not-allowed")["detail"]
    assert detail == "this path has no GET: it takes POST"

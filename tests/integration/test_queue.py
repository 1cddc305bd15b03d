from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.integration.service import GOOD, Chunks, Service, assert_problem, serve

pytestmark = pytest.mark.anyio


async def until_depth(service: Service, depth: int) -> None:
    async with asyncio.timeout(20):
        while await service.metric("goodsguard_queue_depth") != depth:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def full_queue(
    tmp_path_factory: pytest.TempPathFactory, places: int
) -> AsyncIterator[Service]:
    """A service whose places are all taken; in the end those who hold them get their answers."""
    async with serve(tmp_path_factory.mktemp("queue"), queue_size=places) as service:
        release = threading.Event()
        service.network.before = lambda: release.wait(20)
        held = [asyncio.create_task(service.score(GOOD)) for _ in range(places)]
        try:
            await until_depth(service, places)
            yield service
        finally:
            release.set()
        assert [(await task).status_code for task in held] == [200] * places
        await until_depth(service, 0)
        assert (await service.score(GOOD)).status_code == 200


async def test_a_full_queue_is_429_until_there_is_room(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with full_queue(tmp_path_factory, 2) as service:
        for refused in (await service.score(GOOD), await service.batch(GOOD)):
            assert_problem(refused, 429, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
        assert (await service.client.get("/livez")).status_code == 200


async def test_a_full_queue_refuses_photos_only_and_is_seen(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with full_queue(tmp_path_factory, 1) as service:
        for path in ("/score?category=can", "/score/can/batch", "/score/can"):
            assert_problem(await service.client.post(path), 429, "overloaded")
        assert (await service.client.get("/score/can")).status_code == 405
        assert (await service.client.post("/evaluate/nothing")).status_code == 404
        for route in ("/score", "/score/{category}/batch", "/score/{category}"):
            labels = {"route": route, "method": "POST", "status": "429"}
            assert await service.metric("goodsguard_requests_total", **labels) == 1
        refused = {"type": "overloaded"}
        assert await service.metric("goodsguard_problems_total", **refused) == 3


async def test_a_refused_photo_is_not_even_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with full_queue(tmp_path_factory, 1) as service:
        body = Chunks()
        answer = await service.client.post(
            "/score/can", content=body, headers={"content-type": "image/png"}
        )
        assert_problem(answer, 429, "overloaded")
        assert body.taken == 0


async def test_every_one_of_many_requests_is_answered(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("queue"), queue_size=4) as service:
        answers: list[httpx.Response] = await asyncio.gather(
            *(service.score(GOOD) for _ in range(40))
        )
        assert {answer.status_code for answer in answers} <= {200, 429}
        assert sum(answer.status_code == 200 for answer in answers) >= 4
        await until_depth(service, 0)


async def test_broken_photos_give_their_places_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serve(tmp_path_factory.mktemp("queue"), queue_size=1) as service:
        for _ in range(3):
            assert (await service.score(b"no image")).status_code == 422
        assert (await service.score(GOOD)).status_code == 200
        await until_depth(service, 0)

"""HEAD, and paths with a slash at their end: over ASGI, and by a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.service import GOOD, Service, assert_problem, listening, serve

pytestmark = pytest.mark.anyio

GETS = [
    "/livez",
    "/readyz",
    "/metrics",
    "/categories",
    "/categories/can",
    "/categories/nothing",
    "/evaluate",
    "/evaluate/can",
    "/admin/categories/can/versions",
    "/docs",
    "/openapi.json",
    "/static/swagger-ui/swagger-ui.css",
    "/nowhere",
]
POSTS = ["/score/can", "/score?category=can", "/score/can/batch"]


@pytest.fixture(scope="module")
async def real(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serve(tmp_path_factory.mktemp("real")) as running,
        listening(running) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client


def kept(answer: httpx.Response) -> dict[str, str]:
    """What an answer says of itself, but for what differs between two requests."""
    own = {"x-request-id", "date", "content-length"}
    return {name: value for name, value in answer.headers.items() if name not in own}


@pytest.mark.parametrize("path", GETS)
async def test_head_is_get_without_a_body(
    service: Service, real: httpx.AsyncClient, path: str
) -> None:
    for client in (service.client, real):
        whole, head = await client.get(path), await client.head(path)
        assert head.status_code == whole.status_code
        assert kept(head) == kept(whole)
        assert int(head.headers["content-length"]) > 0
        assert head.content == b""
    assert (await real.get("/livez")).json() == {"status": "alive"}  # the connection is in step


@pytest.mark.parametrize("path", POSTS)
async def test_what_cannot_be_got_has_no_head(service: Service, path: str) -> None:
    answer = await service.client.head(path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_head_is_among_the_allowed_methods(service: Service) -> None:
    answer = await service.client.put("/categories")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_head_is_counted_as_what_it_is(service: Service) -> None:
    labels = {"route": "/categories/{category}", "method": "HEAD", "status": "200"}
    before = await service.metric("goodsguard_requests_total", **labels)
    await service.client.head("/categories/can")
    assert await service.metric("goodsguard_requests_total", **labels) == before + 1


@pytest.mark.parametrize("path", GETS)
async def test_a_slash_at_the_end_changes_nothing(service: Service, path: str) -> None:
    plain, slashed = await service.client.get(path), await service.client.get(path + "/")
    assert slashed.status_code == plain.status_code
    assert kept(slashed) == kept(plain)


@pytest.mark.parametrize("path", ["/score/can/", "/score/?category=can", "/score/can/batch/"])
async def test_a_photo_sent_with_a_slash_is_judged(
    service: Service, real: httpx.AsyncClient, path: str
) -> None:
    field = "files" if "batch" in path else "file"
    for client in (service.client, real):
        answer = await client.post(path, files={field: ("a.png", GOOD)})
        assert answer.status_code == 200
        body = answer.json()
        verdicts = [item["verdict"] for item in body.get("results", [body])]
        assert verdicts == ["normal"]


async def test_a_slash_alone_leads_to_the_page(service: Service) -> None:
    assert (await service.client.get("/")).headers["location"] == "page/now"
    assert_problem(await service.client.get("/livez//"), 404, "not-found")


async def test_the_documentation_finds_its_files_with_a_slash(service: Service) -> None:
    page = (await service.client.get("/docs/")).text
    assert 'src="../static/documentation.js"' in page
    assert "{up}" not in page + (await service.client.get("/docs")).text


async def test_no_route_is_documented_twice(service: Service) -> None:
    paths = (await service.client.get("/openapi.json")).json()["paths"]
    methods = {method for operations in paths.values() for method in operations}
    assert methods == {"get", "post", "put", "delete"}  # no "head" beside each "get"
    assert not [path for path in paths if path.endswith("/")]


async def test_strangers_are_refused_with_a_slash_as_well(service: Service) -> None:
    transport = httpx.ASGITransport(service.app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as stranger:
        answers = await asyncio.gather(*(stranger.get(p) for p in ("/livez/", "/categories/")))
    assert [answer.status_code for answer in answers] == [200, 403]

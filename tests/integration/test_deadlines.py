from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from h11 import LocalProtocolError
from starlette.types import Message, Scope

from app.service.jobs import PhotoJob
from tests.integration.service import GOOD, Service, assert_problem, serve
from tests.integration.test_queue import until_depth

pytestmark = pytest.mark.anyio


@dataclass
class Gate:
    """Counts the network's passes, and holds them while it is shut."""

    passes: int = 0
    open: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.passes += 1
        self.entered.set()
        assert self.open.wait(20)


@asynccontextmanager
async def gated(root: Path, **settings: Any) -> AsyncIterator[tuple[Service, Gate]]:
    """A service whose network passes a gate, which is open."""
    async with serve(root, watch_s=0, **settings) as service:
        gate = Gate()
        gate.open.set()
        service.network.before = gate
        yield service, gate


@asynccontextmanager
async def busy(service: Service, gate: Gate) -> AsyncIterator[None]:
    """The network is held by a photo of somebody else until the end."""
    gate.open.clear()
    holder = asyncio.create_task(service.score(GOOD, "box"))
    assert await asyncio.to_thread(gate.entered.wait, 20)
    try:
        yield
    finally:
        gate.open.set()
        assert (await holder).status_code == 200


def ask(service: Service, path: str, seconds: float | str) -> Awaitable[httpx.Response]:
    field_name = "files" if path.endswith("batch") else "file"
    return service.client.post(
        path, files={field_name: GOOD}, headers={"X-Request-Timeout": str(seconds)}
    )


PATHS = ["/score/can", "/score/can/batch", "/score?category=can&category=box"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_photo_whose_time_is_over_is_504_and_never_computed(
    tmp_path: Path, path: str
) -> None:
    async with gated(tmp_path) as (service, gate):
        async with busy(service, gate):
            assert_problem(await ask(service, path, 0.1), 504, "deadline-exceeded")
            await until_depth(service, 1)  # its place is free again
        assert (await service.score(GOOD)).status_code == 200
        assert gate.passes == 2  # of the photo that held it, and of the last one


@pytest.mark.parametrize("path", PATHS)
async def test_a_deadline_that_is_over_at_once_costs_no_work_at_all(
    tmp_path: Path, path: str
) -> None:
    async with gated(tmp_path) as (service, gate):
        assert_problem(await ask(service, path, 1e-9), 504, "deadline-exceeded")
        await until_depth(service, 0)
        assert gate.passes == 0
        assert await service.metric("goodsguard_stage_seconds_count", stage="decode") == 0


async def test_the_services_own_limit_holds_where_none_or_a_larger_one_is_asked(
    tmp_path: Path,
) -> None:
    async with (
        gated(tmp_path, request_timeout_s=0.1) as (service, gate),
        busy_for_longer(service, gate),
    ):
        assert_problem(await service.score(GOOD), 504, "deadline-exceeded")
        assert_problem(await ask(service, "/score/can", 1000), 504, "deadline-exceeded")


@asynccontextmanager
async def busy_for_longer(service: Service, gate: Gate) -> AsyncIterator[None]:
    """As `busy`, by a photo without any deadline: a request's own might be over too soon."""
    gate.open.clear()
    detector = service.app.state.services.registry.detector("box")
    job = PhotoJob((detector,), detector.read(GOOD))
    holder = service.app.state.services.inspector.scheduler.submit(job)
    assert await asyncio.to_thread(gate.entered.wait, 20)
    try:
        yield
    finally:
        gate.open.set()
        assert len(await asyncio.wrap_future(holder)) == 1


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_comes_too_late_is_504_in_time(tmp_path: Path, path: str) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"--x"
        await asyncio.sleep(20)

    async with gated(tmp_path) as (service, gate):
        headers = {
            "X-Request-Timeout": "0.3",
            "Content-Type": "multipart/form-data; boundary=x",
        }
        asking = service.client.post(path, content=slow(), headers=headers)
        answer = await asyncio.wait_for(asking, 10)
        assert_problem(answer, 504, "deadline-exceeded")
        assert answer.headers["connection"] == "close"  # the rest of the body is not wanted
        assert gate.passes == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("seconds", ["20", "0.9e1", "1e300"])
async def test_in_time_is_as_ever(service: Service, path: str, seconds: str) -> None:
    assert (await ask(service, path, seconds)).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "seconds", ["", "0", "-1", "nan", "inf", "-inf", "1e999", "soon", "1 s", "1,5", "0x10"]
)
async def test_what_is_no_time_is_422(service: Service, path: str, seconds: str) -> None:
    assert_problem(await ask(service, path, seconds), 422, "invalid-request")


async def test_deadlines_are_counted_as_problems(tmp_path: Path) -> None:
    async with gated(tmp_path) as (service, _):
        await ask(service, "/score/can", 1e-9)
        labels = {"route": "/score/{category}", "method": "POST", "status": "504"}
        assert await service.metric("goodsguard_requests_total", **labels) == 1
        assert await service.metric("goodsguard_problems_total", type="deadline-exceeded") == 1


@dataclass
class Client:
    """A client that sends what it is told and then goes away, or does not."""

    messages: list[Message]
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    got: list[Message] = field(default_factory=list)

    async def receive(self) -> Message:
        if self.messages:
            return self.messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.got.append(message)

    async def ask(self, service: Service, path: str, query: str = "") -> None:
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost"), (b"content-type", b"image/png")],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 80),
        }
        await service.app(scope, self.receive, self.send)


def whole() -> list[Message]:
    return [{"type": "http.request", "body": GOOD, "more_body": False}]


async def gone_away(service: Service) -> float:
    return sum(
        [
            await service.metric("goodsguard_requests_total", route=route, status="499")
            for route in ("/score/{category}", "/score")
        ]
    )


@pytest.mark.parametrize(
    ("path", "query"), [("/score/can", ""), ("/score", "category=can&category=box")]
)
async def test_nothing_is_computed_for_a_client_that_has_gone(
    tmp_path: Path, path: str, query: str
) -> None:
    async with gated(tmp_path) as (service, gate):
        async with busy(service, gate):
            client = Client(whole())
            asking = asyncio.create_task(client.ask(service, path, query))
            await until_depth(service, 2)
            client.gone.set()
            await asyncio.wait_for(asking, 20)
            await until_depth(service, 1)
            assert client.got == []
        assert (await service.score(GOOD)).status_code == 200
        assert gate.passes == 2
        assert await gone_away(service) == 1
        assert await service.metric("goodsguard_problems_total", type="internal") == 0


async def test_a_client_that_stays_gets_its_answer(tmp_path: Path) -> None:
    async with gated(tmp_path) as (service, _):
        client = Client(whole())
        await asyncio.wait_for(client.ask(service, "/score/can"), 20)
        first = client.got[0]
        assert (first["type"], first["status"]) == ("http.response.start", 200)
        assert await gone_away(service) == 0


async def test_a_client_that_goes_while_it_sends_is_no_error_of_ours(tmp_path: Path) -> None:
    async with gated(tmp_path) as (service, gate):
        client = Client([{"type": "http.request", "body": GOOD[:50], "more_body": True}])
        client.gone.set()
        await asyncio.wait_for(client.ask(service, "/score/can"), 20)
        assert client.got == []
        assert gate.passes == 0
        assert await gone_away(service) == 1
        assert await service.metric("goodsguard_problems_total", type="internal") == 0
        await until_depth(service, 0)


async def test_an_answer_that_the_connection_does_not_take_any_more_is_no_error_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when the server has answered what came behind the request, which was no HTTP."""

    class Closed(Client):
        async def send(self, message: Message) -> None:
            self.got.append(message)
            self.gone.set()
            raise LocalProtocolError("can't handle event type Response")

    async with serve(tmp_path, watch_s=0, log_level="info") as service:
        client = Closed(whole())
        await asyncio.wait_for(client.ask(service, "/score/can"), 20)
        assert len(client.got) == 1
        assert await gone_away(service) == 1
        assert (await service.score(GOOD)).status_code == 200
    logged = capsys.readouterr().err
    assert "answer not sent" in logged
    assert "Traceback" not in logged


async def test_the_first_failure_of_a_batch_ends_the_rest_of_its_work(tmp_path: Path) -> None:
    async with serve(tmp_path, watch_s=0) as service:
        passes, answered = 0, threading.Event()

        def before() -> None:
            nonlocal passes
            passes += 1
            if passes == 1:
                raise RuntimeError("driver gone")
            assert answered.wait(20)  # the others have not begun when the first has failed

        service.network.before = before
        answer = await service.batch(*[GOOD] * 12)
        assert_problem(answer, 503, "network-failed")
        await until_depth(service, 0)
        answered.set()
        # Its turn comes after all that is in the queue still.
        assert (await service.score(GOOD)).status_code == 200
        assert passes <= 3  # the one that failed, one that was under way, and this; and not 13

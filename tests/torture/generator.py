"""A load generator as a process of its own: `python -m tests.torture.generator PLAN.json`.

Raw asyncio streams and requests made beforehand, so that it costs little of the CPU that the
service needs. What it saw goes to the plan's `out` when its time is over, on SIGTERM, or once the
service refuses connections. All times are of `time.monotonic()`, which processes share.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# Far below the service's keep-alive: it might close an older idle connection as we use it.
_MAX_IDLE_S = 3.0
_ANSWER_TIMEOUT_S = 60.0
# Connections refused in a row after which the service is taken to be gone.
_REFUSALS = 3


@dataclass(frozen=True)
class Request:
    """One kind of request.

    Attributes:
        body: the file of its body. weight: its share of the mix.
        pause_s: how long to rest in the middle of the body, as a slow sender does.
    """

    kind: str
    path: str
    content_type: str
    body: str
    weight: float = 1.0
    pause_s: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What to send.

    Attributes:
        rate: requests a second, sent whether or not answers come; 0: `clients` that wait for each
            answer before they ask again.
        fresh: of the clients, how many open a connection for each request.
        connections: the most at a time with a rate; beyond it a request is given up.
        waits: it is sent as soon as one is free instead: so many cameras, each of which asks again
            only when it has its answer.
        answers: keep what each answer said of score, threshold and version.
        until_refused: end once the service refuses connections.
    """

    port: int
    out: str
    requests: tuple[Request, ...]
    seconds: float
    rate: float = 0.0
    clients: int = 1
    fresh: int = 0
    connections: int = 400
    waits: bool = False
    answers: bool = False
    until_refused: bool = False
    seed: int = 0


@dataclass
class Sent:
    """What became of one request; the times are None where it did not come so far.

    Attributes:
        due: when it should have been sent: with a rate, by the clock. began: when it was begun.
        sent: when its last byte had gone to the kernel. done: when its answer was complete.
        error: refused, broken (the answer is missing or incomplete), timeout, given up.
    """

    kind: str
    due: float
    began: float
    sent: float | None = None
    done: float | None = None
    status: int = 0
    retry_after: str | None = None
    error: str | None = None


@dataclass
class Results:
    """Everything that was seen; `answers` counts `kind|version|threshold|score|verdict`."""

    begun: float
    ended: float = 0.0
    cpu_s: float = 0.0
    requests: list[Sent] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)


class Connection:
    """One HTTP/1.1 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        writer.transport.set_write_buffer_limits(high=0)  # drain: until the kernel has all
        self.used = time.monotonic()

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, head: bytes, body: bytes, pause_s: float, sent: Sent) -> tuple[bytes, bool]:
        """Send one request and read its answer.

        Returns:
            the answer's body, and whether the connection can be used again.
        """
        if pause_s:
            middle = len(body) // 2
            self._writer.write(head + body[:middle])
            await asyncio.sleep(pause_s)
            self._writer.write(body[middle:])
        else:
            self._writer.write(head + body)
        await self._writer.drain()
        sent.sent = time.monotonic()
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        answer = await self._reader.readexactly(int(headers["content-length"]))
        sent.status = int(lines[0].split(" ", 2)[1])
        sent.retry_after = headers.get("retry-after")
        sent.done = self.used = time.monotonic()
        return answer, headers.get("connection", "").lower() != "close"

    def close(self) -> None:
        self._writer.close()


class Generator:
    """Sends what a plan says."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stop = asyncio.Event()
        self._mix = random.Random(plan.seed)
        self._prepared = {r.kind: _prepare(r) for r in plan.requests}
        self._weights = [r.weight for r in plan.requests]
        self._idle: list[Connection] = []
        self._open = 0
        self._free = asyncio.Semaphore(plan.connections)
        self._refused = 0
        self.results = Results(begun=time.monotonic())

    async def run(self) -> Results:
        """Until the plan's end, or SIGTERM."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.call_later(self._plan.seconds, self._stop.set)
        await (self._keep_rate() if self._plan.rate else self._keep_clients())
        for connection in self._idle:
            connection.close()
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.results.cpu_s = used.ru_utime + used.ru_stime
        self.results.ended = time.monotonic()
        return self.results

    async def _keep_clients(self) -> None:
        fresh = self._plan.fresh
        async with asyncio.TaskGroup() as group:
            for number in range(self._plan.clients):
                group.create_task(self._client(fresh=number < fresh))

    async def _client(self, *, fresh: bool) -> None:
        while not self._stop.is_set():
            await self._one(time.monotonic(), self._choose(), fresh=fresh)

    async def _keep_rate(self) -> None:
        # Sent by the clock: an answer that takes long does not make the next question later.
        begun, number = time.monotonic(), 0
        tasks: set[asyncio.Task[None]] = set()
        while not self._stop.is_set():
            due = begun + number / self._plan.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._one(due, self._choose()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.gather(*tasks)

    def _choose(self) -> Request:
        return self._mix.choices(self._plan.requests, self._weights)[0]

    async def _one(self, due: float, request: Request, *, fresh: bool = False) -> None:
        sent = Sent(request.kind, due, time.monotonic())
        self.results.requests.append(sent)
        if self._plan.waits:
            async with self._free:
                sent.began = time.monotonic()
                await self._exchange(request, sent, fresh=fresh)
            return
        if self._plan.rate and self._open >= self._plan.connections:
            sent.error = "given up"
            return
        self._open += 1
        try:
            await self._exchange(request, sent, fresh=fresh)
        finally:
            self._open -= 1

    async def _exchange(self, request: Request, sent: Sent, *, fresh: bool) -> None:
        connection = None if fresh else self._reusable()
        try:
            connection = connection or await Connection.open(self._plan.port)
        except OSError:
            sent.error = "refused"
            self._refused += 1
            if self._plan.until_refused and self._refused >= _REFUSALS:
                self._stop.set()
            await asyncio.sleep(0.01)
            return
        head, body = self._prepared[request.kind]
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                answer, again = await connection.ask(head, body, request.pause_s, sent)
        except TimeoutError:
            sent.error, again = "timeout", False
        except (OSError, EOFError, KeyError, ValueError):
            sent.error, again = "broken", False
        else:
            if self._plan.answers:
                said = _said(request.kind, sent.status, answer)
                self.results.answers[said] = self.results.answers.get(said, 0) + 1
        if again and not fresh:
            self._idle.append(connection)
        else:
            connection.close()

    def _reusable(self) -> Connection | None:
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()  # the one used last: the others may grow old and go
            if now - connection.used < _MAX_IDLE_S:
                return connection
            connection.close()
        return None


def _said(kind: str, status: int, answer: bytes) -> str:
    if status != 200:
        return f"{kind}|{status}"
    body = json.loads(answer)
    if "results" in body:
        return f"{kind}|batch"
    score = f"{body['score']:.5f}"
    return f"{kind}|{body['bank_version']}|{body['threshold']:.6f}|{score}|{body['verdict']}"


def _prepare(request: Request) -> tuple[bytes, bytes]:
    body = Path(request.body).read_bytes()
    head = (
        f"POST {request.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: {request.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode(), body


def read_plan(file: Path) -> Plan:
    """A plan from its JSON."""
    given: dict[str, Any] = json.loads(file.read_text())
    given["requests"] = tuple(Request(**request) for request in given["requests"])
    return Plan(**given)


async def main(plan: Plan) -> None:
    """Carry out a plan."""
    results = await Generator(plan).run()
    Path(plan.out).write_text(json.dumps(asdict(results)))


if __name__ == "__main__":
    asyncio.run(main(read_plan(Path(sys.argv[1]))))

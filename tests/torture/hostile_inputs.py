"""A hundred thousand hostile requests to the real service: no 5xx, no hang, no leak.

    python -m tests.torture.hostile_inputs [--inputs 100000] [--seed 1] [--report DIR]

Every request has a number; `--only NUMBER` sends that one alone and prints the answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from matplotlib.figure import Figure

from tests.torture import banks
from tests.torture.requests import CATEGORY, HostileRequest, prepare, request
from tests.torture.service import REPORT, Report, ReportOption, Use, Watch, port_of, serving, use_of

# The worst photo takes 3 s of CPU. With five others beside it, on a machine with other work, a
# request may take this long; the service's own limit is 30 s.
HANG_S = 20.0
# Memory may end this far above its level after the first tenth.
GROWTH = 0.10
_WARM_UP = 0.1
_REST_S = 5.0
_SLOWEST = 20
_HUNG = -1


@dataclass
class Answered:
    """What became of one request; status 0: the connection was closed instead; -1: it hung."""

    index: int
    kind: str
    status: int
    ms: float
    body: bytes = field(default=b"", repr=False)


class Attack:
    """Sends requests over a few connections that are kept alive."""

    def __init__(self, port: int, seed: int) -> None:
        self._port, self._seed = port, seed
        self.answers: list[Answered] = []
        self.wrong: list[str] = []

    async def run(self, first: int, last: int, workers: int) -> None:
        """Send the requests of these numbers."""
        numbers = iter(range(first, last))
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(numbers))

    async def _work(self, numbers: Iterator[int]) -> None:
        connection = Connection(self._port)
        for index in numbers:
            await self.send(connection, index)
        await connection.close()

    async def send(self, connection: Connection, index: int) -> Answered:
        """One request, and a look at its answer."""
        hostile = request(self._seed, index)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(HANG_S):
                status, body = await connection.ask(hostile)
        except TimeoutError:
            status, body = _HUNG, b""
            self.wrong.append(f"request {index} ({hostile.kind}) was not answered in {HANG_S:g} s")
            await connection.close()
        answered = Answered(index, hostile.kind, status, (time.monotonic() - begun) * 1000, body)
        self._judge(hostile, answered)
        answered.body = b""
        self.answers.append(answered)
        return answered

    def _judge(self, hostile: HostileRequest, answered: Answered) -> None:
        which = f"request {answered.index} ({hostile.kind})"
        if answered.status >= 500:
            self.wrong.append(f"{which}: {answered.status} {answered.body[:200]!r}")
        elif hostile.whole and answered.status == 0:
            self.wrong.append(f"{which}: the connection was closed without an answer")
        elif hostile.whole and answered.status >= 400:
            problem = _problem(answered.body)
            if problem != answered.status and answered.status != 400:
                self.wrong.append(
                    f"{which}: {answered.status} is no problem: {answered.body[:200]!r}"
                )


def _problem(body: bytes) -> int | None:
    try:
        status: int = json.loads(body)["status"]
    except (ValueError, KeyError, TypeError):
        return None
    return status


class Connection:
    """One connection, opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, hostile: HostileRequest) -> tuple[int, bytes]:
        """Send one request; the answer's status and body, 0 where there was none."""
        reused = self._streams is not None
        try:
            answer = await self._exchange(hostile)
        except (OSError, EOFError):
            await self.close()
            answer = 0, b""
        if answer[0] == 0 and reused and hostile.whole:
            # It may have been closed for what was sent before: a client asks once more.
            return await self.ask(hostile)
        return answer

    async def close(self) -> None:
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None

    async def _exchange(self, hostile: HostileRequest) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(hostile.raw)
        if not hostile.whole:
            await asyncio.sleep(0.002)
            await self.close()
            return 0, b""
        with suppress(OSError):  # refused in the middle of the body: the answer is there
            await writer.drain()
        status, headers = 100, {b"": b""}
        while status == 100:
            head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            status = int(head[0].split(b" ", 2)[1])
            headers = {n.lower(): v.strip() for n, _, v in (h.partition(b":") for h in head[1:])}
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
        if headers.get(b"connection", b"").lower() == b"close":
            await self.close()
        return status, body


def main(
    inputs: Annotated[int, typer.Option(min=1)] = 100_000,
    seed: int = 1,
    workers: Annotated[int, typer.Option(min=1, max=30)] = 6,
    only: Annotated[int | None, typer.Option(help="Send this one request and print.")] = None,
    report: ReportOption = REPORT,
) -> None:
    """Attack the service and say what happened."""
    prepare()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        models = folder / "models"
        banks.store_bank(models, banks.make_bank(folder / "data", CATEGORY, preset=banks.PATCH))
        with serving(folder, models, log_level="error") as server:
            attack = Attack(port_of(server), seed)
            if only is not None:
                answered = asyncio.run(attack.send(Connection(port_of(server)), only))
                typer.echo(f"{answered}\n{attack.wrong}")
                return
            warm = int(inputs * _WARM_UP)
            begun = time.monotonic()
            with Watch(server) as watch:
                asyncio.run(attack.run(0, warm, workers))
                time.sleep(_REST_S)
                before = use_of(server.process.pid)
                asyncio.run(attack.run(warm, inputs, workers))
                time.sleep(_REST_S)
                after = use_of(server.process.pid)
            log = server.log.read_text()
    found = Report("hostile_inputs", f"{inputs:,} hostile requests")
    found.figures["seed"] = seed
    found.figures["requests_per_second"] = round(inputs / (time.monotonic() - begun), 1)
    _tell(found, attack, watch, before, after)
    found.check("Traceback" not in log, f"the service logged a traceback: {log[-500:]}")
    found.picture(report, _draw(watch.samples))
    found.conclude(report)


def _tell(found: Report, attack: Attack, watch: Watch, before: Use, after: Use) -> None:
    growth = after.rss_mib / before.rss_mib - 1
    slowest = sorted(attack.answers, key=lambda a: -a.ms)[:_SLOWEST]
    statuses = Counter(a.status for a in attack.answers)
    kinds: dict[str, Counter[int]] = {}
    for answer in attack.answers:
        kinds.setdefault(answer.kind, Counter())[answer.status] += 1
    found.failures += attack.wrong
    found.check(watch.livez_failed() == 0, f"/livez failed {watch.livez_failed()} times")
    found.check(growth <= GROWTH, f"memory ended {growth:+.1%} from its level after warming up")
    found.check(after.files <= before.files + 5, f"open files: {before.files}, then {after.files}")
    found.figures |= {
        "statuses": dict(sorted(statuses.items())),
        "kinds": {kind: dict(sorted(counts.items())) for kind, counts in sorted(kinds.items())},
        "slowest": [{"index": a.index, "kind": a.kind, "ms": round(a.ms)} for a in slowest],
        "livez_ms_max": round(max(watch.livez_ms()), 1),
        "rss_mib": {
            "warm": round(before.rss_mib),
            "end": round(after.rss_mib),
            "peak": round(max(s.rss_mib for s in watch.samples)),
        },
        "files": [before.files, after.files],
    }
    found.row("speed", f"{found.figures['requests_per_second']} requests/s")
    found.row("5xx", sum(n for status, n in statuses.items() if status >= 500))
    found.row("statuses (0: no answer was due)", _counts(statuses))
    found.row("slowest", ", ".join(f"{a.ms:.0f} ms ({a.index}, {a.kind})" for a in slowest[:5]))
    found.row("/livez", f"{len(watch.livez_ms())} times, {max(watch.livez_ms()):.0f} ms at most")
    found.row(
        "memory",
        f"{before.rss_mib:.0f} MiB after the first tenth, {after.rss_mib:.0f} MiB at the end "
        f"({growth:+.1%}), {found.figures['rss_mib']['peak']} MiB at the peak",
    )
    found.lines += ["", "| kind | requests | statuses |", "|---|---|---|"]
    found.lines += [
        f"| {kind} | {counts.total():,} | {_counts(counts)} |"
        for kind, counts in sorted(kinds.items())
    ]


def _counts(counts: Counter[int]) -> str:
    return ", ".join(f"{status}: {n:,}" for status, n in sorted(counts.items()))


def _draw(samples: list[Use]) -> Figure:
    figure = Figure(figsize=(9, 5), layout="constrained")
    memory, latency = figure.subplots(2, sharex=True)
    begun = samples[0].at
    memory.plot([(s.at - begun) / 60 for s in samples], [s.rss_mib for s in samples], linewidth=1)
    memory.set(ylabel="RSS (MiB)", ylim=(0, None))
    answered = [((s.at - begun) / 60, s.livez_ms) for s in samples if s.livez_ms is not None]
    latency.semilogy([at for at, _ in answered], [ms for _, ms in answered], ".", markersize=3)
    latency.set(xlabel="minutes", ylabel="/livez (ms)")
    for axes in (memory, latency):
        axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    typer.run(main)

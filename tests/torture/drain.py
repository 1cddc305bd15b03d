"""SIGTERM under load, again and again: no request that was let in may go without its answer."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tests.e2e.process import Server
from tests.torture import banks
from tests.torture.generator import Plan, Request, Results, Sent
from tests.torture.service import REPORT, Load, Report, ReportOption, port_of, requests_of, serving

CATEGORY = "knn"
DRAIN_S = 1.0
CLIENTS, FRESH = 10, 4
_LOAD_S = 1.5
# uvicorn ends well and then lets the signal have its way, as a shell expects.
_WELL = (0, -signal.SIGTERM)


class Probe(threading.Thread):
    """Asks /readyz on new connections until the port is closed.

    Attributes:
        not_ready: when it first said 503. open: when a connection last came about. closed: when
            one was first refused; None where these were not seen.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.not_ready: float | None = None
        self.open: float | None = None
        self.closed: float | None = None

    def run(self) -> None:
        while self.closed is None:
            begun = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=10) as asked:
                    self.open = begun
                    if self.not_ready is None:
                        self._ask(asked)
            except ConnectionRefusedError:
                self.closed = begun
            except OSError:
                pass  # closed while we waited for the answer
            time.sleep(0.002)

    def _ask(self, asked: socket.socket) -> None:
        asked.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        if asked.recv(64).split(b" ")[1:2] == [b"503"]:
            self.not_ready = time.monotonic()


@dataclass(frozen=True)
class Stop:
    """One stop. Seconds are from SIGTERM; the counts are of requests.

    Attributes:
        answered: completely. lost: wholly sent while the port was open, and not answered.
        too_late: as lost, but sent when the port was just being closed: nobody can tell.
        cut: not wholly sent when the connection broke.
        unanswered: of each of these, its fate and kind, and when it was begun, in ms after a
            connection last came about.
    """

    answered: int
    lost: int
    too_late: int
    cut: int
    refused: int
    in_flight: int
    not_ready_s: float | None
    closed_s: float | None
    ended_s: float
    status: int
    statuses: dict[str, int]
    unanswered: list[str]


def stop(folder: Path, server: Server, load_s: float = _LOAD_S) -> Stop:
    """Load a service that runs, stop it, and see what becomes of each request."""
    plan = Plan(
        port=port_of(server),
        out="",
        requests=_requests(folder),
        seconds=120,
        clients=CLIENTS,
        fresh=FRESH,
        until_refused=True,
    )
    with Load(folder, plan) as generator:
        time.sleep(load_s)
        probe = Probe(plan.port)
        probe.start()
        time.sleep(0.1)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(60)
        ended = time.monotonic()
        results = generator.finish()
        probe.join(10)
    return _judge(results, probe, begun, ended, status)


def _requests(folder: Path) -> tuple[Request, ...]:
    path = f"/score/{CATEGORY}"
    bodies = {
        "small": (path, "image/jpeg", banks.photo(1000), 6.0),
        "large": (path, "image/jpeg", banks.photo(1001, size=(3000, 3000)), 1.0),
    }
    small, large = requests_of(folder, bodies)
    slow = Request("slow sender", path, "image/jpeg", small.body, weight=2.0, pause_s=0.3)
    return small, large, slow


def _judge(results: Results, probe: Probe, begun: float, ended: float, status: int) -> Stop:
    last_open = probe.open or ended
    fates = [(_fate(request, last_open), request) for request in results.requests]
    counts = Counter(fate for fate, _ in fates)
    unanswered = [
        f"{fate}, {request.kind}: {(request.began - last_open) * 1000:+.1f} ms"
        for fate, request in fates
        if fate not in ("answered", "refused")
    ]
    in_flight = sum(
        r.sent is not None and r.sent < last_open <= (r.done or ended) for r in results.requests
    )
    return Stop(
        answered=counts["answered"],
        lost=counts["lost"],
        too_late=counts["too late"],
        cut=counts["cut"],
        refused=counts["refused"],
        in_flight=in_flight,
        not_ready_s=None if probe.not_ready is None else probe.not_ready - begun,
        closed_s=None if probe.closed is None else probe.closed - begun,
        ended_s=ended - begun,
        status=status,
        statuses=dict(Counter(str(r.status) for r in results.requests if r.status)),
        unanswered=unanswered,
    )


def _fate(request: Sent, last_open: float) -> str:
    if request.done is not None:
        return "answered"
    if request.error == "refused":
        return "refused"
    if request.sent is None:
        return "cut"
    return "lost" if request.sent <= last_open else "too late"


def run(folder: Path, count: int) -> Report:
    """`count` stops, in an empty folder."""
    banks.store_bank(folder / "models", banks.make_bank(folder / "data", CATEGORY))
    stops = []
    for _ in range(count):
        with serving(folder, folder / "models", drain_s=DRAIN_S) as server:
            stops.append(stop(folder, server))
    return judge(stops)


def judge(stops: list[Stop]) -> Report:
    """What is wrong with any of these stops."""
    report = Report("drain", "SIGTERM under load")
    for number, one in enumerate(stops, start=1):
        _check(report, number, one)
    _describe(report, stops)
    return report


def _check(report: Report, number: int, stop: Stop) -> None:
    where = f"stop {number}"
    report.check(not stop.lost, f"{where}: {stop.lost} requests lost: {stop.unanswered}")
    report.check(stop.status in _WELL, f"{where}: ended with {stop.status}")
    report.check(set(stop.statuses) <= {"200", "429"}, f"{where}: answers {stop.statuses}")
    report.check(stop.answered > CLIENTS, f"{where}: hardly any load")
    seen = stop.not_ready_s is not None and stop.closed_s is not None
    report.check(seen, f"{where}: /readyz or the closed port was not seen")
    if stop.not_ready_s is not None and stop.closed_s is not None:
        early = stop.not_ready_s < stop.closed_s and stop.closed_s >= DRAIN_S
        report.check(early, f"{where}: 503 after {stop.not_ready_s}, closed {stop.closed_s} s")


def _describe(report: Report, stops: list[Stop]) -> None:
    def total(name: str) -> int:
        return sum(getattr(stop, name) for stop in stops)

    not_ready = [stop.not_ready_s for stop in stops if stop.not_ready_s is not None]
    closed = [stop.closed_s for stop in stops if stop.closed_s is not None]
    report.figures |= {"stops": [asdict(stop) for stop in stops]}
    report.row("stops", f"{len(stops)}, each with {CLIENTS} clients, drained for {DRAIN_S:.0f} s")
    report.row("answered", total("answered"))
    report.row("in work when the port closed", total("in_flight"))
    report.row("lost", total("lost"))
    report.row("sent while the port was closing, unanswered", total("too_late"))
    report.row("cut off while sending", total("cut"))
    if not_ready and closed:
        report.row("/readyz says 503", f"{max(not_ready):.2f} s after SIGTERM at most")
        report.row("connections refused", f"{min(closed):.2f} to {max(closed):.2f} s after SIGTERM")
    report.row("ended", f"{max(stop.ended_s for stop in stops):.2f} s after SIGTERM at most")


def draw(stops: list[dict[str, Any]]) -> Figure:
    """What happened when, stop by stop."""
    figure = Figure(figsize=(8, 0.16 * len(stops) + 1.4))
    axes = figure.subplots()
    marks = {"not_ready_s": ("o", "503"), "closed_s": ("x", "refused"), "ended_s": ("|", "ended")}
    for name, (mark, label) in marks.items():
        seen = [(stop[name], i) for i, stop in enumerate(stops, 1) if stop[name] is not None]
        axes.scatter([at for at, _ in seen], [i for _, i in seen], marker=mark, label=label)
    axes.set(xlabel="seconds after SIGTERM", ylabel="stop")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def main(
    count: Annotated[int, typer.Option(min=1, help="How often to stop the service.")] = 20,
    report: ReportOption = REPORT,
) -> None:
    """Stop the service under load and count what was lost."""
    with TemporaryDirectory() as folder:
        found = run(Path(folder), count)
    found.picture(report, draw(found.figures["stops"]))
    found.conclude(report)


if __name__ == "__main__":
    typer.run(main)

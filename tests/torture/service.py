"""What the long runs share: the service under load, what it uses meanwhile, and the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import typer
from matplotlib.figure import Figure
from scipy import stats

from tests.e2e.process import Server, running
from tests.support import ROOT
from tests.torture.generator import Plan, Request, Results, Sent

mpl.use("agg")

Doubles = npt.NDArray[np.float64]
ReportOption = Annotated[Path, typer.Option("--report", help="Where figures and pictures go.")]
REPORT = Path("reports/torture")

# Of a run, how much at its start is warming up, and how many means the rest is made of: samples of
# memory follow each other, and a fit that took each for itself would promise too much.
_WARM_UP = 1 / 3
_BLOCKS = 12
# Shorter runs say nothing of a leak: allocators fill their pools for a minute or two.
_LEAST_S = 240.0
# A rise that is more than chance counts from this share of the whole on.
_RISE = 0.01


@contextmanager
def serving(folder: Path, models: Path, **settings: str | float) -> Iterator[Server]:
    """The real service on these banks; its log goes to `folder`."""
    chosen = {"device": "cpu", "threads": 1, "watch_s": 0, "log_level": "warning"} | settings
    with running(
        folder / "service.log",
        models_dir=models,
        reports_dir=folder / "evaluations",
        records_dir=folder / "records",
        **{name: str(value) for name, value in chosen.items()},
    ) as server:
        yield server


def port_of(server: Server) -> int:
    """The port on which a server listens."""
    port = server.client.base_url.port
    assert port
    return port


class Load:
    """A generator at work.

    As a context it is stopped at the end; `finish` waits for its own end, or stops it.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._plan = replace(plan, out=str(folder / "load.out.json"))
        file = folder / "load.plan.json"
        file.write_text(json.dumps(asdict(self._plan)))
        Path(self._plan.out).unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.generator", file], cwd=ROOT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def finish(self, *, now: bool = False, timeout_s: float = 120) -> Results:
        """What it saw."""
        if now:
            self._process.terminate()
        status = self._process.wait(self._plan.seconds + timeout_s)
        assert status == 0, f"the load generator ended with {status}"
        found: dict[str, Any] = json.loads(Path(self._plan.out).read_text())
        found["requests"] = [Sent(**request) for request in found["requests"]]
        return Results(**found)


def load(folder: Path, plan: Plan) -> Results:
    """Carry out a plan to its end."""
    with Load(folder, plan) as generator:
        return generator.finish()


def generator_cpu(results: Results) -> float:
    """The generator's own share of one core."""
    return results.cpu_s / (results.ended - results.begun)


def requests_of(
    folder: Path, bodies: dict[str, tuple[str, str, bytes, float]]
) -> tuple[Request, ...]:
    """Requests from kind -> path, content type, body and weight."""
    made = []
    for kind, (path, content_type, body, weight) in bodies.items():
        file = folder / f"body-{kind}"
        file.write_bytes(body)
        made.append(Request(kind, path, content_type, str(file), weight))
    return tuple(made)


def multipart(field_name: str, files: Sequence[bytes]) -> tuple[str, bytes]:
    """A multipart body's content type and bytes."""
    request = httpx.Request(
        "POST", "http://127.0.0.1", files=[(field_name, (f"{i}", f)) for i, f in enumerate(files)]
    )
    return request.headers["content-type"], request.read()


@dataclass(frozen=True)
class Use:
    """What a process uses at one moment; `livez_ms`: how long /livez took, None if it failed."""

    at: float
    rss_mib: float
    files: int
    threads: int
    cpu_s: float
    livez_ms: float | None


class Watch:
    """Samples what a server uses, and how long its /livez takes, while the context lasts."""

    def __init__(self, server: Server, every_s: float = 0.5) -> None:
        self._server = server
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[Use] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._server.client.base_url, timeout=30) as client:
            while not self._over.wait(self._every_s):
                self.samples.append(use_of(self._server.process.pid, client))

    def livez_ms(self) -> list[float]:
        """How long /livez took, where it answered."""
        return [s.livez_ms for s in self.samples if s.livez_ms is not None]

    def livez_failed(self) -> int:
        return sum(s.livez_ms is None for s in self.samples)

    def cpu(self) -> float:
        """The server's share of one core."""
        first, last = self.samples[0], self.samples[-1]
        return (last.cpu_s - first.cpu_s) / max(1e-9, last.at - first.at)


def use_of(pid: int, client: httpx.Client | None = None) -> Use:
    """What a process uses now."""
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    ticks = (process / "stat").read_text().rpartition(")")[2].split()
    livez_ms = None
    if client:
        begun = time.perf_counter()
        try:
            if client.get("/livez").status_code == 200:
                livez_ms = (time.perf_counter() - begun) * 1000
        except httpx.HTTPError:
            pass
    return Use(
        at=time.monotonic(),
        rss_mib=int(status["VmRSS"].split()[0]) / 1024,
        files=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        cpu_s=(int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK"),
        livez_ms=livez_ms,
    )


@dataclass(frozen=True)
class Trend:
    """A straight line through the memory after warming up: MiB an hour, its 95 % interval, and the
    same as a share of the mean."""

    mib_per_hour: float
    low: float
    high: float
    mean_mib: float
    hours: float
    judged: bool

    @property
    def grows(self) -> bool:
        """Beyond chance, and by more than a share of the whole while it was watched."""
        risen = self.mib_per_hour * self.hours
        return self.judged and self.low > 0 and risen > _RISE * self.mean_mib

    def __str__(self) -> str:
        text = (
            f"{self.mib_per_hour:+.1f} MiB/h [{self.low:+.1f}, {self.high:+.1f}] "
            f"({self.mib_per_hour / self.mean_mib:+.2%} of {self.mean_mib:.0f} MiB an hour)"
        )
        return text if self.judged else f"{text}; too short a run to tell a leak"


def memory_trend(samples: Sequence[Use]) -> Trend:
    """The line through means of blocks (see `_BLOCKS`)."""
    seconds = samples[-1].at - samples[0].at
    settled = [s for s in samples if s.at - samples[0].at >= seconds * _WARM_UP]
    blocks = [b for b in np.array_split(np.arange(len(settled)), _BLOCKS) if len(b)]
    hours = seconds * (1 - _WARM_UP) / 3600
    if len(blocks) < 3:
        mean = float(np.mean([s.rss_mib for s in samples]))
        return Trend(0.0, -np.inf, np.inf, mean, hours, judged=False)
    at = np.array([np.mean([settled[i].at for i in block]) for block in blocks]) / 3600
    rss = np.array([np.mean([settled[i].rss_mib for i in block]) for block in blocks])
    fit = stats.linregress(at, rss)
    margin = float(stats.t.ppf(0.975, len(blocks) - 2)) * fit.stderr
    slope = float(fit.slope)
    low, high = slope - margin, slope + margin
    return Trend(slope, low, high, float(rss.mean()), hours, judged=seconds >= _LEAST_S)


def memory_curve(samples: Sequence[Use]) -> list[tuple[float, float]]:
    """Seconds and MiB, for the figures and the picture."""
    begun = samples[0].at
    return [(round(s.at - begun, 2), round(s.rss_mib, 1)) for s in samples]


def draw_memory(axes: Any, curve: Sequence[tuple[float, float]]) -> None:
    """The memory over time, from zero."""
    axes.plot([at / 60 for at, _ in curve], [rss for _, rss in curve], linewidth=1)
    axes.set(xlabel="minutes", ylabel="RSS (MiB)", ylim=(0, 1.1 * max(rss for _, rss in curve)))
    axes.grid(alpha=0.3)


def quantile(values: Sequence[float], q: float) -> float:
    """A quantile; NaN of nothing."""
    return float(np.quantile(values, q)) if len(values) else float("nan")


def latencies_ms(requests: Sequence[Sent]) -> list[float]:
    """From when each request was due to its complete answer, of those with status 200."""
    return [(r.done - r.due) * 1000 for r in requests if r.done is not None and r.status == 200]


@dataclass
class Report:
    """One run's section of the report: what was found, in words and figures, and what is wrong.

    Attributes:
        name: of its files. lines: markdown below the title.
    """

    name: str
    title: str
    figures: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def check(self, holds: bool, otherwise: str) -> None:
        """Note what is wrong where something does not hold."""
        if not holds:
            self.failures.append(otherwise)

    def row(self, name: str, value: object) -> None:
        """A line of the section."""
        self.lines.append(f"- {name}: {value}")

    def picture(self, folder: Path, figure: Figure) -> None:
        """Save the picture and show it in the section."""
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / f"{self.name}.png", dpi=110, bbox_inches="tight")
        self.lines += ["", f"![{self.title}]({self.name}.png)"]

    def write(self, folder: Path) -> None:
        """`<name>.json` and `<name>.md`."""
        folder.mkdir(parents=True, exist_ok=True)
        machine = f"{os.cpu_count()} CPUs, load average {self.load_before:.1f} when it began"
        verdict = "**failed**" if self.failures else "held"
        wrong = [f"- **wrong**: {failure}" for failure in self.failures[:20]]
        text = [f"## {self.title}: {verdict}", "", *wrong, *self.lines, "", f"({machine})", ""]
        (folder / f"{self.name}.md").write_text("\n".join(text))
        facts = {"failures": self.failures, "machine": machine, "figures": self.figures}
        (folder / f"{self.name}.json").write_text(json.dumps(facts, indent=2) + "\n")

    def conclude(self, folder: Path) -> None:
        """Write, print, and end the process as failed if anything is wrong."""
        self.write(folder)
        print((folder / f"{self.name}.md").read_text())
        if self.failures:
            raise typer.Exit(1)

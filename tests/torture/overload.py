"""Four times what the service can do, for minutes: what it accepts it answers in time, the rest
it refuses at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from matplotlib.figure import Figure

from app.settings import Settings
from tests.e2e.process import Server
from tests.torture import banks
from tests.torture.generator import Plan, Results, Sent
from tests.torture.service import (
    REPORT,
    Report,
    ReportOption,
    Watch,
    draw_memory,
    generator_cpu,
    latencies_ms,
    load,
    memory_curve,
    memory_trend,
    port_of,
    quantile,
    requests_of,
    serving,
    use_of,
)

CATEGORY = "knn"
FACTOR = 4
QUEUE_SIZE: int = Settings.model_fields["queue_size"].default
# As many clients keep the service busy without filling its queue.
_BUSY_CLIENTS = 8
# Refusing takes time, too, but must leave most of it for work.
_GOODPUT = 0.7
# Of the accepted photos, so many must be answered within the queue's bound.
_WITHIN = 0.99
# An orchestrator's usual patience with a probe.
_LIVEZ_MS = 1000.0


def capacity(folder: Path, plan: Plan, seconds: float) -> tuple[float, Results]:
    """Photos a second to clients that wait for each answer."""
    found = load(folder, replace(plan, seconds=seconds, rate=0.0, clients=_BUSY_CLIENTS))
    done = [r for r in found.requests if r.status == 200]
    return len(done) / (found.ended - found.begun), found


def overload(folder: Path, server: Server, seconds: float, photo: bytes) -> Report:
    """Measure what the service can do, then ask for four times as much."""
    report = Report("overload", f"{FACTOR} times the capacity")
    body = {"photo": (f"/score/{CATEGORY}", "image/jpeg", photo, 1.0)}
    plan = Plan(port=port_of(server), out="", requests=requests_of(folder, body), seconds=seconds)
    calm_s = min(20.0, max(2.0, seconds / 15))
    load(folder, replace(plan, seconds=calm_s / 2))  # warms up
    calm = latencies_ms(load(folder, replace(plan, seconds=calm_s)).requests)
    before = use_of(server.process.pid).cpu_s
    rate, found = capacity(folder, plan, calm_s)
    per_photo_s = (use_of(server.process.pid).cpu_s - before) / len(found.requests)
    with Watch(server, every_s=0.2) as watch:
        results = load(folder, replace(plan, rate=FACTOR * rate))
    _judge(report, calm, rate, results)
    _judge_health(report, server, watch, seconds)
    used_s = watch.samples[-1].cpu_s - watch.samples[0].cpu_s
    counts = report.figures["statuses"]
    refusal_s = (used_s - counts.get("200", 0) * per_photo_s) / max(1, counts.get("429", 0))
    report.figures |= {"photo_cpu_ms": per_photo_s * 1000, "refusal_cpu_ms": refusal_s * 1000}
    report.row("CPU", f"{per_photo_s * 1000:.1f} ms a photo, {refusal_s * 1000:.1f} ms a refusal")
    return report


def _judge(report: Report, calm: list[float], rate: float, results: Results) -> None:
    accepted, refused = (
        latencies_ms(results.requests),
        [r for r in results.requests if r.status == 429],
    )
    statuses = Counter(str(r.error or r.status) for r in results.requests)
    seconds = results.ended - results.begun
    waits = waits_of(results.requests, quantile(calm, 0.99))
    within, others = waits.within(), waits.others
    p99, offered = quantile(accepted, 0.99), len(results.requests) / seconds
    told = Counter(str(r.retry_after) for r in refused)
    report.check(set(statuses) <= {"200", "429"}, f"answers: {dict(statuses)}")
    report.check(bool(refused), "nothing was refused: this was no overload")
    report.check(within >= _WITHIN, f"only {within:.1%} of the accepted are within their bound")
    goodput = len(accepted) / seconds / rate
    report.check(goodput >= _GOODPUT, f"only {goodput:.0%} of the capacity were accepted")
    report.check("None" not in told, f"{told['None']} refusals without Retry-After")
    report.check(
        offered > 0.9 * FACTOR * rate, f"the generator offered only {offered:.0f} requests a second"
    )
    late = [(r.began - r.due) * 1000 for r in results.requests]
    no_s = [(r.done - r.due) * 1000 for r in refused if r.done is not None]
    report.figures |= {
        "capacity_per_s": round(rate, 1),
        "offered_per_s": round(offered, 1),
        "accepted_per_s": round(len(accepted) / seconds, 1),
        "statuses": dict(statuses),
        "retry_after": dict(told),
        "calm_ms": _spread(calm),
        "accepted_ms": _spread(accepted),
        "refused_ms": _spread(no_s),
        "generator_late_ms": _spread(late),
        "within_bound": round(within, 5),
        "waited_for_others": _spread(others.astype(float).tolist()),
        "bound_by_second": waits.bound_by_second(results.begun),
        "generator_cpu": round(generator_cpu(results), 3),
        "accepted_p99_by_second": by_second(results.requests, results.begun),
    }
    report.row("capacity", f"{rate:.1f} photos/s to {_BUSY_CLIENTS} clients that wait")
    report.row("asked for", f"{offered:.1f} a second, for {seconds:.0f} s")
    report.row(
        "accepted", f"{len(accepted)} ({len(accepted) / seconds:.1f} a second, {goodput:.0%})"
    )
    report.row("refused", f"{len(refused)}, all with Retry-After: {dict(told.most_common(5))}")
    report.row("accepted photos' p99", f"{p99:.0f} ms; unloaded {quantile(calm, 0.99):.0f} ms")
    report.row(
        "their bound",
        f"unloaded p99 + {QUEUE_SIZE} places × the time that a photo took meanwhile: "
        f"{within:.2%} within",
    )
    report.row(
        "a photo waited for",
        f"{quantile(others.tolist(), 0.5):.0f} others, 99 %: "
        f"{quantile(others.tolist(), 0.99):.0f}, at most {others.max()}",
    )
    report.row(
        "refusals take", f"{quantile(no_s, 0.5):.1f} ms, 99 %: {quantile(no_s, 0.99):.0f} ms"
    )
    report.row("the generator's own CPU", f"{generator_cpu(results):.0%} of a core")
    report.row(
        "it was late by", f"{quantile(late, 0.5):.1f} ms, 99 %: {quantile(late, 0.99):.0f} ms"
    )


def _judge_health(report: Report, server: Server, watch: Watch, seconds: float) -> None:
    trend, livez = memory_trend(watch.samples), watch.livez_ms()
    report.check(not watch.livez_failed(), f"/livez failed {watch.livez_failed()} times")
    report.check(max(livez) <= _LIVEZ_MS, f"/livez took {max(livez):.0f} ms")
    report.check(not trend.grows, f"memory grows: {trend}")
    report.check(server.client.get("/readyz").status_code == 200, "not ready afterwards")
    report.figures |= {
        "livez_ms": _spread(livez),
        "rss_mib_per_hour": [trend.mib_per_hour, trend.low, trend.high],
        "rss": memory_curve(watch.samples),
        "service_cpu": round(watch.cpu(), 2),
        "seconds": seconds,
    }
    report.row(
        "/livez meanwhile",
        f"{quantile(livez, 0.5):.1f} ms, 99 %: {quantile(livez, 0.99):.0f} ms, at most "
        f"{max(livez):.0f} ms",
    )
    report.row("the service's CPU", f"{watch.cpu():.2f} cores")
    report.row("memory", trend)


@dataclass(frozen=True)
class Waits:
    """The accepted photos: when they were due (s), how long they took and might take (ms), and how
    many others were answered meanwhile.

    A machine's speed changes from one second to the next, and the bound with it: each photo's is
    that of its own time. That a queue of so many places holds it is the same as that no photo
    waits for more others.
    """

    due: npt.NDArray[np.float64]
    took: npt.NDArray[np.float64]
    bound: npt.NDArray[np.float64]
    others: npt.NDArray[np.int64]

    def within(self) -> float:
        return float((self.took <= self.bound).mean())

    def bound_by_second(self, begun: float) -> list[float | None]:
        """Each second's p99 of the bounds, by when the photos were due."""
        seconds = (self.due - begun).astype(int)
        of = [self.bound[seconds == s].tolist() for s in range(seconds.max() + 1)]
        return [round(quantile(bounds, 0.99), 1) if bounds else None for bounds in of]


def waits_of(requests: Sequence[Sent], calm_p99: float) -> Waits:
    """Of a run's accepted photos, with the unloaded p99 in milliseconds."""
    accepted = [(r.due, r.done) for r in requests if r.done is not None and r.status == 200]
    due, done = np.array(accepted).T
    ends = np.sort(done)
    others = np.searchsorted(ends, done) - np.searchsorted(ends, due)
    took = (done - due) * 1000
    return Waits(due, took, calm_p99 + QUEUE_SIZE * took / np.maximum(others, 1), others)


def by_second(requests: Sequence[Sent], begun: float) -> list[float | None]:
    """Each second's p99 of the accepted, by when they were due."""
    seconds: dict[int, list[float]] = {}
    for r in requests:
        if r.done is not None and r.status == 200:
            seconds.setdefault(int(r.due - begun), []).append((r.done - r.due) * 1000)
    last = max(seconds, default=0)
    return [round(quantile(seconds[s], 0.99), 1) if s in seconds else None for s in range(last + 1)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    marks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(quantile(values, q), 2) for name, q in marks.items()}


def draw(figures: dict[str, Any]) -> Figure:
    """Latency with its bound, and memory."""
    figure = Figure(figsize=(7, 4.6))
    above, below = figure.subplots(2, 1)
    p99 = np.array([np.nan if v is None else v for v in figures["accepted_p99_by_second"]])
    above.plot(np.arange(len(p99)) / 60, p99, linewidth=1, label="accepted, p99 of each second")
    bound = np.array([np.nan if v is None else v for v in figures["bound_by_second"]])
    above.plot(np.arange(len(bound)) / 60, bound, color="tab:red", linewidth=1, label="bound, p99")
    above.axhline(figures["calm_ms"]["p99"], color="tab:green", label="unloaded p99")
    above.set(xlabel="minutes", ylabel="ms")
    above.set_ylim(bottom=0)
    above.legend(fontsize=8)
    above.grid(alpha=0.3)
    draw_memory(below, figures["rss"])
    figure.tight_layout()
    return figure


def run(folder: Path, seconds: float) -> Report:
    """The whole of it, in an empty folder."""
    banks.store_bank(folder / "models", banks.make_bank(folder / "data", CATEGORY))
    with serving(folder, folder / "models") as server:
        return overload(folder, server, seconds, banks.photo(1000, size=(640, 480)))


def main(
    seconds: Annotated[float, typer.Option(min=2, help="How long to ask for too much.")] = 300,
    report: ReportOption = REPORT,
) -> None:
    """Find the capacity, then ask for four times as much."""
    with TemporaryDirectory() as folder:
        found = run(Path(folder), seconds)
    found.picture(report, draw(found.figures))
    found.conclude(report)


if __name__ == "__main__":
    typer.run(main)

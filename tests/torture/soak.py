"""Mixed photos at four fifths of the capacity for half an hour: nothing may go wrong or grow."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from matplotlib.figure import Figure

from tests.e2e.process import Server
from tests.torture import banks
from tests.torture.generator import Plan, Results
from tests.torture.service import (
    REPORT,
    Report,
    ReportOption,
    Use,
    Watch,
    draw_memory,
    generator_cpu,
    latencies_ms,
    load,
    memory_curve,
    memory_trend,
    multipart,
    port_of,
    quantile,
    requests_of,
    serving,
    use_of,
)

SHARE = 0.8
_CLIENTS = 4
# So many cameras send by the clock, but each waits for its answer first: where the machine itself
# turns slower for a while they send later, and nothing that they send can fill the queue.
_CAMERAS = 8
# What is held for requests is given back by then; the generator has closed its connections.
_QUIET_S = 7.0


@dataclass(frozen=True)
class Kind:
    """One kind of request; `status` is the one that it must get."""

    path: str
    content_type: str
    body: bytes
    weight: float
    status: int = 200


def kinds() -> dict[str, Kind]:
    """The mix, by name."""
    photo = banks.photo(1001, size=(640, 480))
    broken = photo[: len(photo) // 2]
    small = [banks.photo(seed, size=(640, 480)) for seed in range(1000, 1003)]
    batch_type, batch = multipart("files", [*small, broken])
    field_type, field = multipart("file", [banks.photo(1004, "PNG")])
    return {
        "JPEG 640x480": Kind("/score/knn", "image/jpeg", photo, 40),
        "JPEG 640x480, patches": Kind("/score/patch", "image/jpeg", photo, 15),
        "PNG in a form": Kind("/score/knn", field_type, field, 15),
        "JPEG 3000x3000": Kind("/score/knn", "image/jpeg", banks.photo(1003, size=(3000, 3000)), 5),
        "heatmap": Kind("/score/patch?heatmap=true", "image/jpeg", photo, 8),
        "batch of 4, one broken": Kind("/score/knn/batch", batch_type, batch, 5),
        "two categories": Kind("/score?category=knn&category=patch", "image/jpeg", photo, 3),
        "broken JPEG": Kind("/score/knn", "image/jpeg", broken, 4, status=422),
        "no image": Kind("/score/knn", "image/png", b"no image" * 500, 3, status=422),
        "unknown category": Kind("/score/nowhere", "image/jpeg", photo, 2, status=404),
    }


def store_banks(folder: Path, photos: int = 24) -> Path:
    """A bank of global features and one of patches."""
    models = folder / "models"
    for name, preset in (("knn", banks.KNN), ("patch", banks.PATCH)):
        made = banks.make_bank(folder / "data", name, preset=preset, photos=photos)
        banks.store_bank(models, made)
    return models


def soak(folder: Path, server: Server, seconds: float, quiet_s: float = _QUIET_S) -> Report:
    """Measure the capacity for the mix, then keep the service busy."""
    report, mix = Report("soak", "Mixed photos for a long time"), kinds()
    bodies = {n: (k.path, k.content_type, k.body, k.weight) for n, k in mix.items()}
    plan = Plan(
        port=port_of(server),
        out="",
        requests=requests_of(folder, bodies),
        seconds=min(30.0, max(1.0, seconds / 20)),
        clients=_CLIENTS,
        connections=_CAMERAS,
    )
    load(folder, plan)  # warms up: threads, kernels, pools
    measured = load(folder, plan)
    rate = len(measured.requests) / (measured.ended - measured.begun)
    time.sleep(quiet_s)
    before = use_of(server.process.pid)
    with Watch(server, every_s=min(2.0, seconds / 20)) as watch:
        results = load(folder, replace(plan, seconds=seconds, rate=SHARE * rate, waits=True))
    time.sleep(quiet_s)
    after = use_of(server.process.pid)
    _judge_answers(report, mix, rate, results)
    _judge_use(report, watch, before, after)
    report.check(server.client.get("/readyz").status_code == 200, "not ready afterwards")
    return report


def _judge_answers(report: Report, mix: dict[str, Kind], rate: float, results: Results) -> None:
    seen = Counter((r.kind, str(r.error or r.status)) for r in results.requests)
    unexpected = {f"{k}: {s}": n for (k, s), n in seen.items() if s != str(mix[k].status)}
    latency, seconds = latencies_ms(results.requests), results.ended - results.begun
    report.check(not unexpected, f"unexpected: {unexpected}")
    report.check(len({k for k, _ in seen}) == len(mix), "not all kinds were sent")
    report.figures |= {
        "capacity_per_s": round(rate, 1),
        "requests": len(results.requests),
        "seconds": round(seconds, 1),
        "seen": {f"{k}: {s}": n for (k, s), n in seen.items()},
        "unexpected": unexpected,
        "latency_ms": {f"p{q}": quantile(latency, q / 100) for q in (50, 90, 99)},
        "generator_cpu": round(generator_cpu(results), 3),
    }
    late = [(r.began - r.due) * 1000 for r in results.requests]
    report.row(
        "sent",
        f"{len(results.requests)} of {len(mix)} kinds in {seconds:.0f} s, by clock, by {_CAMERAS} "
        f"cameras that wait for their answers; late by {quantile(late, 0.5):.0f} ms, 99 %: "
        f"{quantile(late, 0.99):.0f} ms",
    )
    report.row(
        "that is", f"{SHARE:.0%} of the {rate:.1f} a second that {_CLIENTS} clients get done"
    )
    report.row("unexpected answers", sum(unexpected.values()))
    report.row(
        "answered within",
        f"{quantile(latency, 0.5):.0f} ms, 99 %: {quantile(latency, 0.99):.0f} ms",
    )
    report.row("the generator's own CPU", f"{generator_cpu(results):.0%} of a core")


def _judge_use(report: Report, watch: Watch, before: Use, after: Use) -> None:
    trend, livez = memory_trend(watch.samples), watch.livez_ms()
    # Pools come and go; what counts is that the last third needs no more than the one before.
    third = len(watch.samples) // 3
    middle, last = (
        max(s.threads for s in watch.samples[n * third : (n + 1) * third]) for n in (1, 2)
    )
    report.check(not trend.grows, f"memory grows: {trend}")
    threads = f"{before.threads} before, at most {middle}, then {last}, {after.threads} after"
    steady = after.threads <= before.threads + 1 and (not trend.judged or last <= middle + 1)
    report.check(steady, f"threads: {threads}")
    report.check(after.files <= before.files, f"files: {before.files}, then {after.files}")
    report.check(not watch.livez_failed(), f"/livez failed {watch.livez_failed()} times")
    report.figures |= {
        "rss_mib_per_hour": [trend.mib_per_hour, trend.low, trend.high],
        "rss_mean_mib": trend.mean_mib,
        "rss": memory_curve(watch.samples),
        "files": [before.files, max(s.files for s in watch.samples), after.files],
        "threads": [before.threads, middle, last, after.threads],
        "service_cpu": round(watch.cpu(), 2),
    }
    report.row("memory", trend)
    most = max(s.files for s in watch.samples)
    report.row("open files", f"{before.files} before, at most {most}, {after.files} after")
    report.row("threads", threads)
    report.row(
        "/livez meanwhile", f"99 %: {quantile(livez, 0.99):.0f} ms, at most {max(livez):.0f}"
    )
    report.row("the service's CPU", f"{watch.cpu():.2f} cores")


def draw(curve: list[tuple[float, float]]) -> Figure:
    """The memory over time: whole, and its changes."""
    figure = Figure(figsize=(7, 4.6))
    above, below = figure.subplots(2, 1)
    draw_memory(above, curve)
    draw_memory(below, curve)
    below.set_ylim(auto=True)
    below.set_title("the same, closer", fontsize=9)
    below.relim()
    below.autoscale_view()
    figure.tight_layout()
    return figure


def run(folder: Path, seconds: float) -> Report:
    """The whole of it, in an empty folder."""
    with serving(folder, store_banks(folder), log_level="info") as server:
        return soak(folder, server, seconds)


def main(
    seconds: Annotated[float, typer.Option(min=2, help="How long.")] = 1800,
    report: ReportOption = REPORT,
) -> None:
    """Keep the service busy and watch it."""
    with TemporaryDirectory() as folder:
        found = run(Path(folder), seconds)
    found.picture(report, draw(found.figures["rss"]))
    found.conclude(report)


if __name__ == "__main__":
    typer.run(main)

"""Banks exchanged a thousand times under constant load: no answer may mix two of them."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from matplotlib.figure import Figure

from app.core.files import PARTIAL
from app.core.store import artifact as artifacts
from tests.e2e.process import Server
from tests.torture import banks
from tests.torture.generator import Plan, Results
from tests.torture.service import (
    REPORT,
    Load,
    Report,
    ReportOption,
    Watch,
    draw_memory,
    generator_cpu,
    latencies_ms,
    memory_curve,
    memory_trend,
    port_of,
    quantile,
    requests_of,
    serving,
)

CATEGORY = "exchanged"
PHOTOS = {"good": 1000, "damaged": 1001}
CLIENTS = 3
# Of ten steps: plain exchanges, then rollbacks, then new versions that cannot serve.
_STEPS = ("exchange",) * 5 + ("rollback",) * 3 + ("damaged version", "torn pointer")


@dataclass
class Switchboard:
    """Two stored versions of one category, and the ways to go from one to the other."""

    server: Server
    models: Path
    versions: tuple[str, str]
    serving: str
    steps: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.models / CATEGORY

    @property
    def other(self) -> str:
        return self.versions[self.serving == self.versions[0]]

    def step(self, name: str) -> None:
        """One reload, or two where a version that cannot serve goes again."""
        ways: dict[str, Callable[[], None]] = {
            "exchange": self.exchange,
            "rollback": self.rollback,
            "damaged version": self.damaged_version,
            "torn pointer": self.torn_pointer,
        }
        ways[name]()
        self.steps[name] += 1

    def exchange(self) -> None:
        artifacts.activate(self.models, CATEGORY, self.other)
        self._reload("loaded", self.other)
        self.serving = self.other

    def rollback(self) -> None:
        to = None if self.other < self.serving else self.other
        begun = time.monotonic()
        answer = self.server.client.post(
            f"/admin/categories/{CATEGORY}/rollback", params={"to": to} if to else {}
        )
        self.seconds.append(time.monotonic() - begun)
        self._compare(answer.json(), "loaded", self.other)
        self.serving = self.other

    def damaged_version(self) -> None:
        version = artifacts.new_version()
        partial, place = self.folder / f"{PARTIAL}{version}", self.folder / version
        shutil.copytree(self.folder / self.serving, partial)
        manifest = artifacts.read_manifest(self.models, CATEGORY, self.serving)
        renamed = manifest.model_copy(update={"bank_version": version})
        (partial / artifacts.MANIFEST).write_bytes(renamed.render())
        bank = partial / artifacts.BANK
        data = bytearray(bank.read_bytes())
        data[len(data) // 2] ^= 0x10
        bank.write_bytes(data)
        partial.rename(place)
        artifacts.activate(self.models, CATEGORY, version)
        self._reload("failed", self.serving)
        artifacts.activate(self.models, CATEGORY, self.serving)
        shutil.rmtree(place)
        self._reload("unchanged", self.serving)

    def torn_pointer(self) -> None:
        pointer = self.folder / artifacts.CURRENT
        pointer.write_bytes(pointer.read_bytes()[:9])
        self._reload("failed", self.serving)
        artifacts.activate(self.models, CATEGORY, self.serving)
        self._reload("unchanged", self.serving)

    def _reload(self, outcome: str, version: str) -> None:
        begun = time.monotonic()
        results = self.server.client.post("/admin/reload").json()["results"]
        self.seconds.append(time.monotonic() - begun)
        for found in results:
            if found["category"] == CATEGORY:
                self._compare(found, outcome, version)

    def _compare(self, found: dict[str, Any], outcome: str, version: str) -> None:
        if (found.get("outcome"), found.get("bank_version")) != (outcome, version):
            self.wrong.append(f"a reload says {found}, not {outcome} {version}")


def store_two(folder: Path, photos: int = 24) -> tuple[Path, tuple[str, str]]:
    """Two banks of different cans as versions of one category; the later one is current."""
    models = folder / "models"
    first = banks.store_bank(models, banks.make_bank(folder / "a", CATEGORY, photos=photos))
    while artifacts.new_version()[:16] == first[:16]:  # versions sort by the second
        time.sleep(0.1)
    other = banks.make_bank(folder / "b", CATEGORY, photos=photos, first=500)
    second = banks.store_bank(models, other)
    return models, (first, second)


def expected_answers(board: Switchboard) -> dict[tuple[str, str], tuple[float, float, str]]:
    """Photo and version -> its score, threshold and verdict."""
    found = {}
    for _ in board.versions:
        board.exchange()
        for kind, seed in PHOTOS.items():
            got = board.server.score(banks.photo(seed), CATEGORY)
            key = (kind, str(got["bank_version"]))
            found[key] = (got["score"], got["threshold"], got["verdict"])
    return found


def mixed(results: Results, expected: dict[tuple[str, str], tuple[float, float, str]]) -> list[str]:
    """Answers that are neither wholly of the one version nor of the other."""
    wrong = []
    for said, count in results.answers.items():
        kind, version, threshold, score, verdict = (said.split("|") + [""] * 4)[:5]
        right = expected.get((kind, version))
        if right is None or verdict != right[2]:
            wrong.append(f"{count} × {said}")
        elif any(
            abs(float(a) - b) > 1e-4 * abs(b)
            for a, b in zip((score, threshold), right[:2], strict=True)
        ):
            wrong.append(f"{count} × {said}, not {right}")
    return wrong


def run(folder: Path, count: int, seed: int = 0) -> Report:
    """At least `count` reloads, in an empty folder."""
    models, versions = store_two(folder)
    with serving(folder, models) as server:
        board = Switchboard(server, models, versions, serving=versions[1])
        return exchange_under_load(folder, board, count, seed)


def exchange_under_load(folder: Path, board: Switchboard, count: int, seed: int = 0) -> Report:
    """The same on a service that runs."""
    report, chance = Report("reloads", "Banks exchanged under load"), random.Random(seed)
    expected = expected_answers(board)
    different = len({right[:2] for right in expected.values()}) == len(expected)
    report.check(different, "the two banks answer alike: nothing could be seen to be mixed")
    path = f"/score/{CATEGORY}"
    bodies = {k: (path, "image/jpeg", banks.photo(s), 1.0) for k, s in PHOTOS.items()}
    plan = Plan(
        port=port_of(board.server),
        out="",
        requests=requests_of(folder, bodies),
        seconds=36_000,
        clients=CLIENTS,
        answers=True,
    )
    board.seconds.clear()
    with Load(folder, plan) as generator, Watch(board.server) as watch:
        while len(board.seconds) < count:
            board.step(chance.choice(_STEPS))
        results = generator.finish(now=True)
    statuses = Counter(str(r.error or r.status) for r in results.requests)
    report.check(set(statuses) == {"200"}, f"answers other than 200: {dict(statuses)}")
    report.failures += board.wrong
    report.failures += [f"mixed: {said}" for said in mixed(results, expected)]
    _describe(report, board, watch, results)
    return report


def _describe(report: Report, board: Switchboard, watch: Watch, results: Results) -> None:
    trend, per_version = memory_trend(watch.samples), Counter[str]()
    for said, count in results.answers.items():
        per_version[said.split("|")[1]] += count
    report.check(not trend.grows, f"memory grows: {trend}")
    latency = latencies_ms(results.requests)
    report.figures |= {
        "reloads": len(board.seconds),
        "steps": dict(board.steps),
        "reload_s": {"p50": quantile(board.seconds, 0.5), "p99": quantile(board.seconds, 0.99)},
        "answers": dict(results.answers),
        "latency_ms": {"p50": quantile(latency, 0.5), "p99": quantile(latency, 0.99)},
        "rss_mib_per_hour": [trend.mib_per_hour, trend.low, trend.high],
        "rss": memory_curve(watch.samples),
        "generator_cpu": round(generator_cpu(results), 3),
    }
    report.row("reloads", f"{len(board.seconds)}: {dict(board.steps)}")
    report.row(
        "one takes, under load",
        f"{quantile(board.seconds, 0.5):.2f} s, 99 %: {quantile(board.seconds, 0.99):.2f} s",
    )
    report.row(
        "answers",
        f"{sum(per_version.values())} to {CLIENTS} clients, by version: "
        f"{', '.join(map(str, per_version.values()))}; each wholly of one version",
    )
    report.row(
        "answered within",
        f"{quantile(latency, 0.5):.0f} ms, 99 %: {quantile(latency, 0.99):.0f} ms",
    )
    report.row("memory", trend)


def draw(curve: list[tuple[float, float]]) -> Figure:
    """The memory over time."""
    figure = Figure(figsize=(7, 2.6))
    draw_memory(figure.subplots(), curve)
    return figure


def main(
    count: Annotated[int, typer.Option(min=1, help="Reloads.")] = 1000,
    seed: int = 0,
    report: ReportOption = REPORT,
) -> None:
    """Exchange two banks over and over while clients ask."""
    with TemporaryDirectory() as folder:
        found = run(Path(folder), count, seed)
    found.picture(report, draw(found.figures["rss"]))
    found.conclude(report)


if __name__ == "__main__":
    typer.run(main)

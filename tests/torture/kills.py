"""Builds killed at random moments beside the service that uses their category."""

from __future__ import annotations

import multiprocessing
import os
import random
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal, Protocol, Self

import typer
from matplotlib.figure import Figure

from app.core.errors import GoodsGuardError
from app.core.files import PARTIAL
from app.core.store import artifact as artifacts
from app.core.store.clearing import KEPT_BUILDS
from tests.e2e.process import Server
from tests.support import ROOT
from tests.torture import banks
from tests.torture.service import REPORT, Report, ReportOption, serving

CATEGORY = "built"
_SCRIPT = ROOT / "scripts/build_bank.py"
# Of five kills, those that wait for the save, which takes a hundredth of the build.
_AIMED = (1, 3)
# Every so many builds is started as a user does, with its imports.
_FRESH_EVERY = 10
_BUILD_TIMEOUT_S = 300
_TRIES = 10

Found = Literal["before the save", "in the save", "stored, not current", "current"]
_COLOURS = {
    "before the save": "tab:blue",
    "in the save": "tab:red",
    "stored, not current": "tab:orange",
    "current": "tab:green",
}


class Build(Protocol):
    """A build under way, in a process of its own."""

    def kill(self) -> None: ...

    def poll(self) -> int | None:
        """Its exit status, once it has one."""

    def wait(self) -> int: ...


class Fresh:
    """`python scripts/build_bank.py`."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        with log.open("wb") as file:
            command = [sys.executable, str(_SCRIPT), *arguments]
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        self.kill, self.poll = self._process.kill, self._process.poll

    def wait(self) -> int:
        return self._process.wait(_BUILD_TIMEOUT_S)


class Forked:
    """The same script in a process that has its imports already, which take most of its time:
    else hardly a kill would meet the build itself."""

    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(
        ["scripts.build_bank", "tests.torture.banks", "tests.torture.service"]
    )

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self._process = self._context.Process(target=_run_script, args=(arguments, log))
        self._process.start()
        self.kill = self._process.kill

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join(_BUILD_TIMEOUT_S)
        assert self._process.exitcode is not None, "a build hangs"
        return self._process.exitcode


def _run_script(arguments: Sequence[str], log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = [str(_SCRIPT), *arguments]
    runpy.run_path(str(_SCRIPT), run_name="__main__")


@dataclass(frozen=True)
class Builder:
    """Starts builds of one category; `log` is the last one's output."""

    data: Path
    models: Path
    log: Path

    @property
    def folder(self) -> Path:
        return self.models / CATEGORY

    def start(self, *, fresh: bool = False) -> Build:
        arguments = [
            *("--data", str(self.data), "--models", str(self.models), "--preset", banks.KNN),
            *("--alpha", str(banks.ALPHA), "--device", "cpu", "--threads", "1"),
        ]
        return Fresh(arguments, self.log) if fresh else Forked(arguments, self.log)

    def complaint(self, build: Build) -> str:
        said = self.log.read_text(errors="replace")
        return f"a build ended with {build.poll()}: {said[-300:]}"

    def leftovers(self) -> list[str]:
        """What is neither a version nor the pointer to one."""
        known = {*artifacts.versions(self.folder), artifacts.CURRENT, ".lock"}
        return sorted(p.name for p in self.folder.iterdir() if p.name not in known)

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    def wait_for_save(self, build: Build) -> bool:
        """Until a build begins to save; False if it ended before that was seen."""
        before = self.names()
        while build.poll() is None:
            if any(n.startswith(PARTIAL) for n in self.names() - before):
                return True
            time.sleep(0.0002)
        return False

    def timed(self, *, fresh: bool) -> tuple[float, float]:
        """Seconds of a whole build, and of its save."""
        for _ in range(_TRIES):
            before = artifacts.current_version(self.folder)
            begun = time.monotonic()
            build = self.start(fresh=fresh)
            seen = self.wait_for_save(build)
            saving = time.monotonic()
            while artifacts.current_version(self.folder) == before and build.poll() is None:
                time.sleep(0.0002)
            saved = time.monotonic()
            assert build.wait() == 0, self.complaint(build)
            if seen:  # a save of milliseconds is missed where the machine is busy
                return time.monotonic() - begun, saved - saving
        raise AssertionError(f"{_TRIES} builds ended before their save was seen")


class Customer(threading.Thread):
    """Asks for the score of one photo, over and over, and notes every answer that is not it."""

    def __init__(self, server: Server, photo: bytes, every_s: float = 0.1) -> None:
        super().__init__(daemon=True)
        self._server, self._photo, self._every_s = server, photo, every_s
        self._over = threading.Event()
        self.expected = server.score(photo, CATEGORY)
        self.answers = 0
        self.wrong: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(self._every_s):
            self.ask()

    def ask(self) -> None:
        """One question. A build of the same photos gives the same bank, and so the same score."""
        try:
            got = self._server.score(self._photo, CATEGORY)
        except Exception as exc:
            self.wrong.append(f"{type(exc).__name__}: {exc}"[:200])
            return
        self.answers += 1
        for what in ("score", "threshold"):
            if abs(got[what] - self.expected[what]) > 1e-4 * self.expected[what]:
                self.wrong.append(f"{what} {got[what]} is not {self.expected[what]}")


@dataclass
class Aftermath:
    """What was found after the kills: `moments` holds seconds into the build, and the phase."""

    moments: list[tuple[float, Found]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ended_first: int = 0
    build_s: float = 0.0
    save_s: float = 0.0

    def phases(self) -> dict[str, int]:
        return dict(Counter(phase for _, phase in self.moments).most_common())


def warm_up(log: Path) -> Build:
    """Begin to start the process from which builds are forked."""
    return Forked([], log)


def kill_builds(
    builder: Builder,
    server: Server,
    count: int,
    seed: int = 0,
    times: tuple[float, float] | None = None,
) -> Aftermath:
    """Kill `count` builds, and look after each at what it left; `times`: see `Builder.timed`."""
    chance, after = random.Random(seed), Aftermath()
    warm_up(builder.log).wait()
    build_s, save_s = after.build_s, after.save_s = times or builder.timed(fresh=False)
    fresh_s = builder.timed(fresh=True)[0] if count >= _FRESH_EVERY else 0.0
    while (number := len(after.moments) + 1) <= count:
        fresh = number % _FRESH_EVERY == 0
        before, known = artifacts.current_version(builder.folder), builder.names()
        aimed = number % 5 in _AIMED
        begun = time.monotonic()
        build = builder.start(fresh=fresh)
        if aimed and builder.wait_for_save(build):
            time.sleep(chance.uniform(0, 1.5 * save_s))
        elif not aimed:
            time.sleep(chance.uniform(0, fresh_s if fresh else build_s))
        build.kill()
        moment = time.monotonic() - begun
        status = build.wait()
        if status == 0:  # it was faster
            after.ended_first += 1
        elif status == -signal.SIGKILL:
            after.moments.append((moment, _phase(builder, before, known)))
        else:
            raise RuntimeError(builder.complaint(build))
        after.wrong += [f"kill {number}: {w}" for w in inspect(builder, server)]
    return after


def inspect(builder: Builder, server: Server) -> list[str]:
    """What is wrong with the folder, or with what the service makes of it."""
    wrong = []
    try:
        current = artifacts.current_version(builder.folder)
        stored = artifacts.versions(builder.folder)
        if current not in stored:
            wrong.append(f"current names {current}, which is not stored")
        for version in stored:
            artifacts.load(builder.models, CATEGORY, version)
    except GoodsGuardError as exc:
        return [*wrong, f"not loadable: {exc}"]
    for said in server.client.post("/admin/reload").json()["results"]:
        mine = said["category"] == CATEGORY
        if mine and (said["outcome"] == "failed" or said["bank_version"] != current):
            wrong.append(f"the reload says {said}")
    return wrong


def build_at_once(builder: Builder, processes: int = 2) -> list[str]:
    """What is wrong after builds of one category side by side: nothing, it should be."""
    before = set(artifacts.versions(builder.folder))
    builds = [builder.start() for _ in range(processes)]
    wrong = [builder.complaint(build) for build in builds if build.wait() != 0]
    new = set(artifacts.versions(builder.folder)) - before
    if len(new) != processes:
        wrong.append(f"{processes} builds at once left {len(new)} new versions")
    if artifacts.current_version(builder.folder) not in new:
        wrong.append("after builds at once, current names an older version")
    for version in new:
        artifacts.load(builder.models, CATEGORY, version)
    return wrong + [f"builds at once left {name}" for name in builder.leftovers()]


def prepare(folder: Path, photos: int = 24) -> Builder:
    """Photos, and a first version of their bank in `<folder>/models`."""
    banks.store_bank(folder / "models", banks.make_bank(folder / "data", CATEGORY, photos=photos))
    return Builder(folder / "data", folder / "models", folder / "build.log")


def kill_beside(
    server: Server,
    builder: Builder,
    count: int,
    *,
    at_once: bool = True,
    seed: int = 0,
    times: tuple[float, float] | None = None,
) -> Report:
    """Kill builds beside a service that runs, then build to the end."""
    report = Report("kills", "Builds killed at random moments")
    with Customer(server, banks.photo(1001)) as customer:
        after = kill_builds(builder, server, count, seed, times)
        report.failures += after.wrong
        if at_once:
            report.failures += build_at_once(builder)
        report.check(builder.start().wait() == 0, "the last build failed")
        report.failures += inspect(builder, server)
        customer.ask()
    report.failures += [f"an answer: {wrong}" for wrong in customer.wrong]
    left = builder.leftovers()
    report.check(not left, f"the last build left {left}")
    kept = len(artifacts.versions(builder.folder))
    report.check(kept <= KEPT_BUILDS + 1, f"{kept} versions are kept")
    _describe(report, after, customer.answers)
    return report


def run(folder: Path, count: int, seed: int = 0) -> Report:
    """The whole of it, in an empty folder."""
    builder = prepare(folder)
    with serving(folder, builder.models, watch_s=0.5) as server:
        return kill_beside(server, builder, count, seed=seed)


def _phase(builder: Builder, before: str, known: set[str]) -> Found:
    """How far a build came, from what is new in the folder."""
    if artifacts.current_version(builder.folder) != before:
        return "current"
    new = builder.names() - known
    if any(not name.startswith(PARTIAL) for name in new):
        return "stored, not current"
    return "in the save" if new else "before the save"


def _describe(report: Report, after: Aftermath, answers: int) -> None:
    phases = after.phases()
    report.figures |= {
        "kills": len(after.moments),
        "phases": phases,
        "builds_that_ended_first": after.ended_first,
        "build_s": round(after.build_s, 2),
        "save_s": round(after.save_s, 4),
        "answers_meanwhile": answers,
        "moments": [[round(at, 4), phase] for at, phase in after.moments],
    }
    report.row("killed", f"{len(after.moments)} builds, by SIGKILL")
    report.row("a build takes", f"{after.build_s:.1f} s, of which saving {after.save_s:.3f} s")
    report.row("found after the kill", ", ".join(f"{n} × {phase}" for phase, n in phases.items()))
    report.row("answers of the service meanwhile", f"{answers}, all with the same score")
    report.row("after each kill", "every listed version loads, current names one, a reload agrees")


def draw(after: list[tuple[float, str]]) -> Figure:
    """When each build was killed, and in which phase."""
    figure = Figure(figsize=(7, 2.6))
    axes = figure.subplots()
    groups = [[at for at, phase in after if phase == name] for name in _COLOURS]
    axes.hist(groups, bins=30, stacked=True, label=list(_COLOURS), color=list(_COLOURS.values()))
    axes.set(xlabel="seconds into the build", ylabel="kills")
    axes.legend(fontsize=8)
    return figure


def main(
    count: Annotated[int, typer.Option(min=1, help="Builds to kill.")] = 100,
    seed: int = 0,
    report: ReportOption = REPORT,
) -> None:
    """Kill builds, look at what they leave, then build to the end."""
    with TemporaryDirectory() as folder:
        found = run(Path(folder), count, seed)
    found.picture(report, draw(found.figures["moments"]))
    found.conclude(report)


if __name__ == "__main__":
    typer.run(main)

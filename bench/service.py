"""The real service under load: latency, throughput and refusals by clients; start-up and memory.

    python -m bench.service --data FOLDER --category bottle --weights RESNET18.safetensors

uvicorn is a process of its own, with six categories of 20,000 patches each; wrk is another, which
posts one JPEG as the body again and again (`load.lua`). Between its turns with one client, the same
bytes go through `Detector.inspect` in this process: the ratio is what HTTP, the queue and the
threads add. wrk is installed from Debian where it is missing and that is allowed.

(Not `http.py`: in a folder from which scripts are run, that would stand in for Python's own.)
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import httpx
import numpy as np
import torch
import typer

from app.cli import ThreadsOption, WeightsOption, console, stop
from app.core.building.preset import Preset, load_preset
from app.core.detector import Detector
from app.core.errors import GoodsGuardError
from app.core.features.extractor import FeatureExtractor
from app.core.methods.knn import Knn
from app.core.photo.dataset import Category, evenly, read_test_split
from app.core.store import artifact as artifacts
from app.core.store.artifact import Artifact
from app.service.networks import SharedNetworks, extractor_loader, faster_engine
from app.service.registry import BankSource
from bench import tables
from bench.machine import (
    CategoryOption,
    DataOption,
    Figures,
    OutOption,
    QuickOption,
    Run,
    resident_bytes,
)
from bench.rounds import ratio, spread, timed
from bench.stock import (
    SIZES,
    draw,
    jpeg,
    patches_of_files,
    shape_of,
    small_artifact,
    with_bank,
)

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]
CLIENTS = (1, 2, 8, 32)
CATEGORIES = 6
PHOTOS = 40  # whose patches fill the banks
START_TIMEOUT_S = 120.0


class Answer(NamedTuple):
    """One request: its status, how long it took, and when the answer was there, in seconds."""

    status: int
    ms: float
    at: float


@dataclass(frozen=True)
class Answers:
    """What one turn of wrk got; `lost` requests broke off."""

    answers: tuple[Answer, ...]
    lost: int

    @classmethod
    def read(cls, text: str) -> Answers:
        """The lines that `load.lua` prints, whatever else wrk says."""
        words = [line.split() for line in text.splitlines()]
        return cls(
            tuple(
                Answer(int(w[1]), float(w[2]) * 1000, float(w[3]))
                for w in words
                if w[:1] == ["answer"]
            ),
            next(int(w[1]) for w in words if w[:1] == ["lost"]),
        )

    def served(self) -> list[float]:
        """Milliseconds of those that were answered with a score."""
        return [answer.ms for answer in self.answers if answer.status == 200]

    def per_second(self) -> float:
        """Scores between the first and the last: the turn's own end cuts some off."""
        at = [answer.at for answer in self.answers if answer.status == 200]
        return (len(at) - 1) / (max(at) - min(at)) if len(at) > 1 else 0.0


def summary(turns: Sequence[Answers]) -> Figures:
    """Percentiles of what was served, images a second, and what was not served."""
    served = [ms for turn in turns for ms in turn.served()]
    statuses = [answer.status for turn in turns for answer in turn.answers]
    p50, p95, p99 = np.percentile(served, [50, 95, 99]).tolist()
    return {
        "requests": len(statuses),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "images_per_second": float(np.median([turn.per_second() for turn in turns])),
        "refused": statuses.count(429) / len(statuses),
        "failed": sum(status not in (200, 429) for status in statuses)
        + sum(turn.lost for turn in turns),
    }


@dataclass(frozen=True)
class Server:
    """The running service."""

    process: subprocess.Popen[bytes]
    address: str
    started_s: float


@contextmanager
def running(settings: dict[str, str], log: Path) -> Iterator[Server]:
    """Start the service, wait until it is ready, end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "app.main:create_app",
        "--port",
        str(port),
    ]
    start = time.perf_counter()
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, "--no-access-log", "--no-server-header", "--log-level", "warning"],
            cwd=ROOT,
            env=os.environ | settings,
            stderr=stderr,
        )
    try:
        while True:
            if process.poll() is not None or time.perf_counter() - start > START_TIMEOUT_S:
                raise stop(f"the service did not start: {log.read_text()[-2000:]}")
            try:
                if httpx.get(f"{address}/readyz", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.02)
        yield Server(process, address, time.perf_counter() - start)
    finally:
        process.terminate()
        process.wait(30)


def ask(address: str, photo: Path, clients: int, seconds: float, *more: Path) -> Answers:
    """One turn of wrk. The end of its time cuts off what is still under way, uncounted.

    Args:
        more: photos that take turns with the first one.

    Raises:
        typer.Exit: nothing was scored.
    """
    many, script = str(clients), Path(__file__).parent / "load.lua"
    command = ["wrk", "-t", many, "-c", many, "-d", f"{seconds:g}s", "--timeout", "60s"]
    done = subprocess.run(
        [*command, "-s", script, address, "--", photo, *more],
        capture_output=True,
        text=True,
        check=True,
    )
    answers = Answers.read(done.stdout)
    if not answers.served():
        seen = sorted({answer.status for answer in answers.answers})
        raise stop(f"the service scored nothing; it answered with {seen or 'nothing'}")
    return answers


def find_wrk() -> None:
    """Raises typer.Exit where there is no wrk, and none can be installed."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        console.print("installing wrk")
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "wrk"]
        subprocess.run(install, stdout=subprocess.DEVNULL, check=False)
    if shutil.which("wrk") is None:
        raise stop("wrk makes the load and is not installed (Debian: apt-get install wrk)")


def store(models: Path, artifact: Artifact) -> list[str]:
    """The same bank under six names: each is loaded, and lies in memory, for itself."""
    names = [f"goods_{number}" for number in range(1, CATEGORIES + 1)]
    for name in names:
        manifest = artifact.manifest.model_copy(update={"category": name})
        artifacts.save(models, replace(artifact, manifest=manifest))
    return names


def measure_photo(
    server: Server, detector: Detector, name: str, photo: Path, rounds: int, seconds: float
) -> Figures:
    """One JPEG: with each number of clients, and in this process between the turns of one."""
    data = photo.read_bytes()
    url = f"{server.address}/score/{detector.manifest.category}"
    inspect = timed(lambda: detector.inspect(data))
    ask(url, photo, 2, 3)  # warms up both ways of compiling the network, too
    inside, alone = [], []
    for _ in range(rounds):
        alone.append(ask(url, photo, 1, seconds))
        calls = max(3, len(alone[-1].served()))
        inside.append(list(inspect(calls + 1))[1:])
    more = {n: [ask(url, photo, n, seconds * rounds / 2)] for n in CLIENTS[1:]}
    return {
        "photo": name,
        "bytes": len(data),
        "in_process_ms": spread(inside),
        "http_per_in_process": ratio([turn.served() for turn in alone], inside),
        "clients": [{"clients": n, **summary(t)} for n, t in ({1: alone} | more).items()],
    }


def markdown(figures: Figures) -> list[str]:
    """The tables of service.json."""
    lines = tables.table(
        ("photo, clients", "p50 ms", "p95 ms", "p99 ms", "images / s", "429", "failed", "requests"),
        [
            [
                f"{photo['photo']}, {row['clients']}",
                *(tables.number(row[key]) for key in ("p50_ms", "p95_ms", "p99_ms")),
                tables.number(row["images_per_second"]),
                f"{row['refused']:.1%}",
                str(row["failed"]),
                str(row["requests"]),
            ]
            for photo in figures["photos"]
            for row in photo["clients"]
        ],
    )
    lines += ["", *tables.table(
        ("photo", "JPEG", "in process, ms", "HTTP with 1 client / in process"),
        [
            [
                photo["photo"],
                tables.size(photo["bytes"]),
                tables.spread(photo["in_process_ms"]),
                tables.spread(photo["http_per_in_process"]),
            ]
            for photo in figures["photos"]
        ],
    )]  # fmt: skip
    starts = ", ".join(tables.number(seconds) for seconds in figures["start_s"])
    return [
        *lines,
        "",
        f"Start with {figures['categories']} categories of {figures['bank'][0]:,} × "
        f"{figures['bank'][1]} patches, served by {figures['engine']}, until "
        f"`/readyz` says so: {starts} s. Resident then: "
        f"{tables.size(figures['resident_started'])}; after all requests: "
        f"{tables.size(figures['resident_after'])}.",
    ]


def stored(
    models: Path, goods: Category, preset: Preset, weights: Path | None, vectors: int
) -> Detector:
    """Store the banks, and load the first of them as the service does."""
    extractor = FeatureExtractor.load(preset.features, CPU, weights)
    patches = patches_of_files(evenly(goods.train, PHOTOS), extractor)
    base = small_artifact(goods, preset, extractor)
    bank = draw(patches, min(vectors, sum(map(len, patches))))
    names = store(models, with_bank(base, bank, patches, extractor))
    networks = SharedNetworks(extractor_loader(CPU, weights), faster_engine(CPU))
    return BankSource(models, networks).detector(names[0])


def settings(folder: Path, models: Path, weights: Path | None, threads: int) -> dict[str, str]:
    """The service's environment."""
    found = {
        "GOODSGUARD_MODELS_DIR": str(models),
        "GOODSGUARD_REPORTS_DIR": str(folder / "reports"),
        "GOODSGUARD_RECORDS_DIR": str(folder / "records"),
        "GOODSGUARD_THREADS": str(threads),
        "GOODSGUARD_DEVICE": "cpu",
        "OMP_NUM_THREADS": str(threads),
    }
    return found if weights is None else found | {"GOODSGUARD_WEIGHTS": str(weights.absolute())}


def main(
    data: DataOption = Path("data/elpv"),
    category: CategoryOption = "elpv_mono",
    preset: Annotated[str, typer.Option(help="What the banks hold.")] = "patch",
    weights: WeightsOption = None,
    threads: ThreadsOption = 0,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Measure, print, write service.json."""
    find_wrk()
    run = Run("service", out, threads, quick=quick)
    vectors, starts, rounds, seconds = (2000, 1, 1, 2.0) if quick else (20_000, 3, 4, 4.0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        models, log, photo = folder / "models", folder / "log", folder / "photo.jpg"
        try:
            goods = read_test_split(data, category)
            detector = stored(models, goods, load_preset(preset), weights, vectors)
        except GoodsGuardError as exc:
            raise stop(str(exc)) from exc
        environment = settings(folder, models, weights, run.threads)
        good = next(image.path for image in goods.test if not image.is_defective)
        started = []
        for _ in range(starts - 1):
            with running(environment, log) as server:
                started.append(server.started_s)
        with running(environment, log) as server:
            started.append(server.started_s)
            resident_started = resident_bytes(server.process.pid)
            photos = []
            for name, size in SIZES.items():
                photo.write_bytes(jpeg(good, size))
                photos.append(measure_photo(server, detector, name, photo, rounds, seconds))
            resident_after = resident_bytes(server.process.pid)
    learnt = detector.method
    assert isinstance(learnt, Knn)
    figures: Figures = {
        "preset": preset,
        "set": category,
        "categories": CATEGORIES,
        "bank": shape_of(learnt),
        "engine": detector.engine,
        "search": learnt.search.plan.kind,
        "start_s": started,
        "resident_started": resident_started,
        "resident_after": resident_after,
        "photos": photos,
    }
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

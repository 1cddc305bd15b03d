"""What a bench's figures were measured on, and their file."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.core.building.build import library_versions
from app.core.files import write_whole
from app.core.threads import available_cpus, set_threads

RESULTS = Path(__file__).parent / "results"
TRIALS = Path(__file__).parents[1] / "reports" / "bench"  # of --quick: not among the results
# What decides how fast a network runs on a CPU.
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")

Figures = dict[str, Any]

QuickOption = Annotated[bool, typer.Option(help="A trial: few photos, few rounds.")]
OutOption = Annotated[
    Path | None,
    typer.Option(help="Where the .json goes; default: bench/results, of a trial reports/bench."),
]
DataOption = Annotated[Path, typer.Option(help="ROOT of ROOT/<category>/train/good/*.")]
CategoryOption = Annotated[str, typer.Option(help="Whose photos.")]


@dataclass(frozen=True)
class _Clock:
    """Seconds of wall time, of all CPUs at work, and of those that worked for this process."""

    wall: float = field(default_factory=time.perf_counter)
    busy: float = field(default_factory=lambda: _busy_seconds(Path("/proc/stat").read_text()))
    ours: float = field(default_factory=lambda: sum(os.times()[:4]))


class Run:
    """One run of a bench: sets the threads, remembers the machine, writes the figures."""

    def __init__(self, stem: str, out: Path | None, threads: int, *, quick: bool) -> None:
        self.threads = set_threads(threads)
        self._file = (out or (TRIALS if quick else RESULTS)) / f"{stem}.json"
        self._start = _Clock()
        self._facts: Figures = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "quick": quick,
            **facts(self.threads),
        }

    def write(self, figures: Figures) -> Path:
        """Write `<stem>.json`."""
        end = _Clock()
        wall = end.wall - self._start.wall
        others = (end.busy - self._start.busy) - (end.ours - self._start.ours)
        machine = self._facts | {
            "seconds": round(wall, 1),
            # Where this is not near 0, somebody else's work lengthened the times.
            "cores_busy_by_others": round(max(0.0, others / wall), 2),
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._file, json.dumps({"machine": machine, **figures}, indent=1) + "\n")
        return self._file


def facts(threads: int) -> Figures:
    """The machine, without a name or a path of it."""
    model, flags = cpu(Path("/proc/cpuinfo").read_text())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": model,
        "cpu_flags": flags,
        "cores": available_cpus(),
        "memory_gib": round(pages / 2**30, 1),
        "threads": threads,
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": library_versions(),
    }


def cpu(cpuinfo: str) -> tuple[str, list[str]]:
    """/proc/cpuinfo -> the processor's name, and those of its abilities that matter here."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    found = {name.strip(): value.strip() for name, _, value in reversed(list(lines))}
    flags = found.get("flags", "").split()
    return found.get("model name", "unknown"), [flag for flag in _FLAGS if flag in flags]


def resident_bytes(process: int | str = "self") -> int:
    """What a process holds in memory now."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def _busy_seconds(stat: str) -> float:
    # user nice system idle iowait irq softirq steal, of all CPUs together
    ticks = [int(word) for word in stat.splitlines()[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")

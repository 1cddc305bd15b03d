"""Metrics of several processes; two real workers behind one port are in tests/e2e."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from app.service import worker_metrics
from tests.support import ROOT

# One worker: it counts, shows what serves, and exchanges that; it ends, or lives while it is asked.
WORKER = """
import sys
from types import SimpleNamespace as Bank
from app.service.metrics import Metrics
from app.service.registry import Registry, Unavailable

metrics = Metrics(["overloaded"])
for categories in sys.argv[1:]:
    metrics.show(Registry({name: Unavailable("no") for name in categories.split(",") if name}))
metrics.queue_depth.set(3)
metrics.queue_size.set(8)
metrics.photo_bytes.observe(100)
metrics.reloads.labels("loaded").inc()
print(metrics.render().decode(), flush=True)
sys.stdin.read()
"""


def start(folder: Path, *categories: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *categories],
        cwd=ROOT,
        env=os.environ | {worker_metrics.VARIABLE: str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(worker: subprocess.Popen[str]) -> dict[str, float]:
    """What it renders, by sample."""
    assert worker.stdout
    lines: list[str] = []
    while (line := worker.stdout.readline()).strip():
        lines.append(line)
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_counts_of_the_dead_stay_and_their_gauges_go(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    first = start(folder, "can,box", "can")  # `box` is removed
    alone = said(first)
    second = start(folder, "can")
    both = said(second)
    first.communicate("")
    third = start(folder, "can")
    later = said(third)
    for worker in (second, third):
        worker.communicate("")
    up = 'goodsguard_category_up{category="can"}'
    loaded = 'goodsguard_reloads_total{outcome="loaded"}'
    size = "goodsguard_queue_size"
    sum_of_bytes = "goodsguard_photo_bytes_sum"
    assert [seen[size] for seen in (alone, both, later)] == [8, 16, 16]
    assert [seen["goodsguard_queue_depth"] for seen in (alone, both, later)] == [3, 6, 6]
    assert [seen[loaded] for seen in (alone, both, later)] == [1, 2, 3]
    assert [seen[sum_of_bytes] for seen in (alone, both, later)] == [100, 200, 300]
    assert [seen[up] for seen in (alone, both, later)] == [0, 0, 0]
    assert not [name for name in alone | both | later if "box" in name and "bucket" not in name]
    memory = "process_resident_memory_bytes"
    assert both[memory] > 1.5 * alone[memory]


@pytest.mark.parametrize(("workers", "lines"), [(1, 0), (2, 1)])
def test_workers_each_for_itself_warn(workers: int, lines: int) -> None:
    assert worker_metrics.FOLDER is None
    with structlog.testing.capture_logs() as logged:
        worker_metrics.warn(workers)
    assert len(logged) == lines
    assert all(worker_metrics.VARIABLE in line["event"] for line in logged)

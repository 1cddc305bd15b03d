"""Metrics of several worker processes together, by prometheus-client's multiprocess mode.

Each worker writes its metrics into files of a folder, and whoever is asked reads the files of all.
The client decides on that when it is imported: PROMETHEUS_MULTIPROC_DIR must be set before.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

log = structlog.get_logger()

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_named = os.environ.get(VARIABLE)
FOLDER = None if _named is None else Path(_named)

# What the files hold for a label that is no more; they can only be added to. Neutral where the
# least of all workers counts, and where the greatest does; no gauge of ours is ever infinite.
GONE_OF_LEAST, GONE_OF_GREATEST = math.inf, -math.inf

_FILE = re.compile(r".*_(\d+)\.db")
_ACROSS_WORKERS: dict[str, Callable[[Iterable[float]], float]] = {
    "process_start_time_seconds": min,
    "process_max_fds": min,
}  # all else is added up
_prepared = False


class MetricsError(Exception):
    """The metrics of several workers cannot be kept."""


def prepare() -> None:
    """See to it that the folder can be used, where there is to be one; once a process.

    Raises:
        MetricsError: it cannot.
    """
    global _prepared
    if FOLDER is None or _prepared:
        return
    if not _named:
        raise MetricsError(f"{VARIABLE} is empty: name a folder, or do not set it")
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=FOLDER):
            pass
    except OSError as exc:
        raise MetricsError(f"{VARIABLE}: {FOLDER} cannot be written: {exc.strerror}") from exc
    _forget(os.getpid(), FOLDER)  # one of an earlier run that had our number
    _prepared = True


def warn(workers: int) -> None:
    """Say what is wrong where workers keep their metrics each for itself."""
    if workers > 1 and FOLDER is None:
        log.warning(
            "each worker has metrics of its own, and /metrics shows those of one, by chance: set "
            f"{VARIABLE} to an empty folder, or run `goodsguard serve --workers`, which does",
            workers=workers,
        )


def render() -> bytes:
    """The metrics of all workers, in Prometheus's text format."""
    assert FOLDER is not None
    registry = CollectorRegistry()
    registry.register(_Together(FOLDER))
    registry.register(_Processes(FOLDER))
    return generate_latest(registry)


class _Together(Collector):
    """What all workers have written, but for labels that are no more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        for pid in _pids(self._folder):
            if not _lives(pid):  # its counts stay, its gauges go
                _forget(pid, self._folder)
        together: Any = MultiProcessCollector
        for metric in together(None, str(self._folder)).collect():
            metric.samples = [s for s in metric.samples if not math.isinf(s.value)]
            yield metric


class _Processes(Collector):
    """Memory, CPU and open files of all workers that live."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        samples: dict[str, list[Sample]] = {}
        for pid in filter(_lives, _pids(self._folder)):
            for family in _of_process(pid):
                families.setdefault(family.name, family)
                samples.setdefault(family.name, []).extend(family.samples)
        for name, family in families.items():
            together = _ACROSS_WORKERS.get(name, sum)(sample.value for sample in samples[name])
            family.samples = [samples[name][0]._replace(value=together)]
            yield family


def _of_process(pid: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: pid, registry=None).collect()


def _forget(pid: int, folder: Path) -> None:
    """The gauges of a process that is gone; others may do so at the same time."""
    client: Any = mark_process_dead
    with suppress(FileNotFoundError):
        client(pid, str(folder))


def _pids(folder: Path) -> list[int]:
    found = (_FILE.fullmatch(path.name) for path in folder.iterdir())
    return sorted({int(match[1]) for match in found if match})


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

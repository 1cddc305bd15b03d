"""How many CPUs there are for us, and the one place that shares them out among the libraries."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import faiss
import torch

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cpus(quota_file: Path = _CGROUP_QUOTA) -> int:
    """CPUs this process may use: its affinity, and in a container its share, rounded up.

    Args:
        quota_file: cgroup v2's `cpu.max`: microseconds of CPU (or "max") and the period.
    """
    # macOS and Windows know no affinity.
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no quota
        return cpus


_local = threading.local()
_process_threads = 0  # as set; 0: not yet


def set_threads(threads: int = 0) -> int:
    """Give torch, FAISS and OpenVINO `threads` threads each; 0: all CPUs this process may use.

    Returns:
        the number that was set.
    """
    global _process_threads
    threads = threads or available_cpus()
    _process_threads = threads
    _bound(threads)
    return threads


def thread_budget() -> int:
    """How many threads the work of the calling thread may use."""
    budget: int = getattr(_local, "budget", 0)
    return budget or _process_threads or available_cpus()


@contextmanager
def limited_to(threads: int) -> Iterator[None]:
    """Let the calling thread's work use so many threads: less when others work beside it.

    torch, too, keeps its number per calling thread; but a thread on which torch was never used
    begins with the number that any thread set last. Threads that use torch therefore say theirs.
    """
    before: int = getattr(_local, "budget", 0)
    _local.budget = threads
    _bound(threads)
    try:
        yield
    finally:
        _local.budget = before  # 0: whatever is set for the process by then
        _bound(thread_budget())


def _bound(threads: int) -> None:
    """For the calling thread: OpenMP keeps these numbers for each, and each library has its own."""
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)

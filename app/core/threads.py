"""How many CPUs there are for us, and the one place that sizes torch's and FAISS's thread pools."""

from __future__ import annotations

import math
import os
from pathlib import Path

import faiss
import torch

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cpus(quota_file: Path = _CGROUP_QUOTA) -> int:
    """CPUs this process may use: its affinity, and in a container its share, rounded up.

    Args:
        quota_file: cgroup v2's `cpu.max`: microseconds of CPU (or "max") and the period.
    """
    cpus = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no quota
        return cpus


def set_threads(threads: int = 0) -> int:
    """Give torch and FAISS `threads` threads each; 0 means all CPUs this process may use.

    Returns:
        the number that was set.
    """
    threads = threads or available_cpus()
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    return threads

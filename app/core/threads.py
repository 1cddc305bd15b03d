"""The one place that sizes torch's and FAISS's thread pools."""

from __future__ import annotations

import os

import faiss
import torch


def set_threads(threads: int = 0) -> int:
    """Give torch and FAISS `threads` threads each; 0 means all cores this process may use.

    Returns:
        the number that was set.
    """
    threads = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    return threads

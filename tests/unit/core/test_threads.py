from __future__ import annotations

import os

import faiss
import pytest
import torch

from app.core.threads import set_threads


@pytest.fixture(autouse=True)
def _back_to_one() -> object:
    yield
    set_threads(1)


@pytest.mark.parametrize("threads", [1, 2])
def test_both_pools_get_the_same_number(threads: int) -> None:
    assert set_threads(threads) == threads
    assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == (threads, threads)


def test_zero_means_the_cores_this_process_may_use() -> None:
    assert set_threads(0) == len(os.sched_getaffinity(0))

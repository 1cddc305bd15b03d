from __future__ import annotations

import os
import threading
from pathlib import Path

import faiss
import pytest
import torch

from app.core.threads import available_cpus, limited_to, set_threads, thread_budget


@pytest.fixture(autouse=True)
def _back_to_one() -> object:
    yield
    set_threads(1)


@pytest.mark.parametrize("threads", [1, 2])
def test_both_pools_get_the_same_number(threads: int) -> None:
    assert set_threads(threads) == threads
    assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == (threads, threads)


def test_zero_means_the_cores_this_process_may_use() -> None:
    assert set_threads(0) == available_cpus()


@pytest.mark.parametrize(
    ("quota", "cpus"), [("100000 100000", 1), ("50000 100000", 1), ("99999999 100000", None)]
)
def test_a_containers_quota_bounds_the_cpus(quota: str, cpus: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    expected = len(os.sched_getaffinity(0)) if cpus is None else cpus
    assert available_cpus(tmp_path / "cpu.max") == expected


@pytest.mark.parametrize("quota", ["max 100000", "", "nonsense"])
def test_no_quota_leaves_the_affinity(quota: str, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert available_cpus(tmp_path / "cpu.max") == len(os.sched_getaffinity(0))


def budgets() -> tuple[int, int]:
    return thread_budget(), faiss.omp_get_max_threads()


def test_a_limit_ends_with_its_work() -> None:
    set_threads(2)
    with limited_to(3):
        assert budgets() == (3, 3)
        with limited_to(1):
            assert budgets() == (1, 1)
        assert budgets() == (3, 3)
    assert budgets() == (2, 2)


def test_a_limit_ends_with_work_that_fails() -> None:
    def fail() -> None:
        with limited_to(3):
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert budgets() == (1, 1)


def test_a_limit_is_the_threads_own() -> None:
    seen = []
    with limited_to(3):
        other = threading.Thread(target=lambda: seen.append(thread_budget()))
        other.start()
        other.join()
    assert seen == [1]

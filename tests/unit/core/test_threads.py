from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest
import torch

from app.core.methods.knn.bank import InvertedLists, MemoryBank
from app.core.threads import available_cpus, limited_to, set_threads, thread_budget

TASKS = Path("/proc/self/task")


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
    assert torch.get_num_threads() == faiss.omp_get_max_threads()
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


def own_threads(work: Callable[[], object]) -> int:
    """How many threads of the system's come up while a new thread of ours does the work."""
    found: list[int] = []

    def count() -> None:
        before = set(TASKS.iterdir())
        work()
        found.append(len(set(TASKS.iterdir()) - before))

    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.skipif(not TASKS.is_dir(), reason="needs Linux to count threads")
def test_a_photos_search_wakes_no_more_threads_than_it_may_have() -> None:
    """Counted: each library keeps threads of its own for every thread that asks it."""
    set_threads(3)
    rng = np.random.default_rng(0)
    bank = MemoryBank(rng.random((4096, 64), dtype=np.float32))
    lists = InvertedLists.of(bank, 256, seed=0)
    patches = rng.random((1024, 64), dtype=np.float32)

    def search() -> None:
        lists.nearest(patches, lists.nearness(patches), 16)
        bank.search(patches, 1)

    def limited(threads: int) -> None:
        with limited_to(threads):
            search()

    assert own_threads(lambda: limited(1)) == 0
    assert own_threads(lambda: limited(3)) > own_threads(lambda: limited(2)) > 0


def test_a_limit_ends_for_torch_where_it_began() -> None:
    set_threads(2)
    seen = []

    def work() -> None:
        with limited_to(1):
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [1, 2]
    assert torch.get_num_threads() == 2

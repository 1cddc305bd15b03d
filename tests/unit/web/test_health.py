from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.web import health
from app.web.health import Disk, Memo


@pytest.mark.anyio
async def test_a_memo_asks_again_when_its_answer_is_old() -> None:
    now = [0.0]
    memo, asked = Memo(clock=lambda: now[0]), []

    async def ask() -> int:
        asked.append(now[0])
        return len(asked)

    assert [await memo.get("x", 10, ask) for _ in range(3)] == [1, 1, 1]
    now[0] = 10.0
    assert await memo.get("x", 10, ask) == 2
    assert await memo.get("y", 10, ask) == 3

    async def fails() -> int:
        raise OSError

    with pytest.raises(OSError):
        await memo.get("z", 10, fails)
    assert await memo.get("z", 10, ask) == 4


@pytest.mark.anyio
async def test_a_memo_forgets_names_that_nobody_asks_for() -> None:
    now = [0.0]
    memo = Memo(clock=lambda: now[0])

    async def ask() -> int:
        return 1

    for i in range(100):
        now[0] += 60
        await memo.get(i, 10, ask)
    assert len(memo._kept) <= 11


@pytest.mark.parametrize(
    ("free", "total", "is_low"),
    [
        (10 << 30, 100 << 30, False),
        ((10 << 30) - 1, 100 << 30, True),
        (1 << 30, 4 << 30, False),
        ((1 << 30) - 1, 4 << 30, True),
        (0, 0, True),
    ],
)
def test_a_disk_is_low_below_a_tenth_or_a_gibibyte(free: int, total: int, is_low: bool) -> None:
    assert Disk("The banks", free, total).is_low == is_low


@pytest.mark.anyio
async def test_a_folder_that_is_not_there_yet_lies_on_its_parents_disk(tmp_path: Path) -> None:
    there = await health._disk("x", tmp_path)
    assert there.total > 0
    assert (await health._disk("x", tmp_path / "a" / "b")).total == there.total


@pytest.mark.anyio
async def test_a_disk_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_DISK_S", 0.05)
    monkeypatch.setattr(health, "_usage", lambda _: time.sleep(5))
    began = time.monotonic()
    assert (await health._disk("x", tmp_path)).total == 0
    assert time.monotonic() - began < 2

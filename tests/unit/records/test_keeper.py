from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.records.errors import RecordsOff, RecordsUnavailable
from app.records.keeper import REASONS, Keeper, KeeperState, Plan
from app.records.keeping import PhotoPolicy
from app.records.opening import Records
from app.records.reading import page
from app.records.retention import Limits

from .made import draft

pytestmark = pytest.mark.anyio


@contextmanager
def keeping(plan: Plan | None, **options: Any) -> Iterator[Keeper]:
    keeper = Keeper(plan, **options)
    try:
        keeper.opening(30)
        yield keeper
    finally:
        assert keeper.close(time.monotonic() + 30) == []


class States:
    """What a keeper tells, and when it tells what is waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._latest: KeeperState | None = None

    def __call__(self, state: KeeperState) -> None:
        with self._changed:
            self._latest = state
            self._changed.notify_all()

    def wait_for(self, status: str) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: self._latest is not None and self._latest.status == status, 30
            )


async def test_what_is_put_is_found(url: str, tmp_path: Path) -> None:
    with keeping(Plan(tmp_path / "records", url)) as keeper:
        one = draft()
        assert keeper.put(one)
        assert keeper.flush(30)
        found = await keeper.ask(page)
        assert [verdict.id for verdict in found.verdicts] == [one.id]
        assert (keeper.state.status, keeper.state.recorder.written) == ("on", 1)


async def _recorded_anew(keeper: Keeper) -> bool:
    """Until a verdict that is put can be found: the loss is noticed within a second or two."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        one = draft()
        if keeper.put(one) and keeper.flush(30):
            try:
                found = await keeper.ask(page)
            except RecordsUnavailable:
                found = None
            if found and any(verdict.id == one.id for verdict in found.verdicts):
                return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("left", [None, b"no database at all, but a file of that name"])
async def test_a_database_that_is_taken_away_is_noticed(tmp_path: Path, left: bytes | None) -> None:
    """On Linux a removed file can be written for as long as it is open, and is gone then."""
    folder = tmp_path / "records"
    with keeping(Plan(folder), try_again_s=0.1) as keeper:
        assert keeper.put(draft())
        assert keeper.flush(30)
        with capture_logs() as logs:
            for path in folder.glob("goodsguard.db*"):
                path.unlink()
            if left is not None:
                (folder / "goodsguard.db").write_bytes(left)
            deadline = time.monotonic() + 30
            while not any("taken away or replaced" in entry["event"] for entry in logs):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            if left is not None:
                (folder / "goodsguard.db").unlink()
            assert await _recorded_anew(keeper)
        with sqlite3.connect(folder / "goodsguard.db") as connection:
            assert connection.execute("SELECT count(*) FROM verdicts").fetchone()[0] >= 1


async def test_off_takes_nothing_and_says_so(tmp_path: Path) -> None:
    with keeping(None) as keeper:
        assert not keeper.put(draft())
        assert keeper.flush(0)
        assert (keeper.state.status, keeper.state.recorder.lost) == ("off", {})
        with pytest.raises(RecordsOff, match="GOODSGUARD_RECORDS"):
            await keeper.ask(page)


async def test_what_cannot_be_opened_is_told_once_and_tried_again(tmp_path: Path) -> None:
    states, folder = States(), tmp_path / "records"
    folder.write_text("a file where the folder should be")
    with (
        capture_logs() as logs,
        keeping(Plan(folder), on_state=states, try_again_s=0.02) as keeper,
    ):
        assert states.wait_for("unavailable")
        assert not keeper.put(draft())
        assert keeper.state.recorder.lost == {"not_open": 1}
        assert str(tmp_path) not in str(keeper.state.reason)
        with pytest.raises(RecordsUnavailable):
            await keeper.ask(page)
        folder.unlink()
        assert states.wait_for("on")
        assert keeper.put(draft())
        assert keeper.flush(30)
        assert keeper.state.recorder.written == 1
        assert keeper.state.recorder.lost == {"not_open": 1}
    told = [line for line in logs if line["event"] == "verdicts are not recorded"]
    assert len(told) == 1
    assert str(folder) in told[0]["reason"]


async def test_an_error_of_the_database_is_told_to_the_log_alone(tmp_path: Path) -> None:
    with keeping(Plan(tmp_path / "records")) as keeper:
        with sqlite3.connect(tmp_path / "records" / "goodsguard.db") as connection:
            connection.execute("ALTER TABLE verdicts RENAME TO elsewhere")
        connection.close()
        with capture_logs() as logs, pytest.raises(RecordsUnavailable) as caught:
            await keeper.ask(page)
        assert "elsewhere" not in caught.value.public
        assert any("no such table" in line.get("reason", "") for line in logs)


async def test_a_file_that_cannot_be_read_is_the_records_fault(tmp_path: Path) -> None:
    def read(records: Records) -> bytes:
        return records.photos.folder.read_bytes()

    with keeping(Plan(tmp_path / "records")) as keeper:
        (tmp_path / "records" / "photos").mkdir()
        with pytest.raises(RecordsUnavailable) as caught:
            await keeper.ask(read)
        assert str(tmp_path) not in caught.value.public


async def test_after_the_end_nothing_is_asked(tmp_path: Path) -> None:
    with keeping(Plan(tmp_path / "records")) as keeper:
        pass
    with pytest.raises(RecordsOff):
        await keeper.ask(page)
    assert not keeper.put(draft())
    assert keeper.state.recorder.lost == {"closed": 1}


async def test_the_end_writes_what_waits_and_waits_no_longer_than_told(tmp_path: Path) -> None:
    with keeping(Plan(tmp_path / "records")) as keeper:
        for number in range(50):
            assert keeper.put(draft(number))
    with keeping(Plan(tmp_path / "records")) as keeper:
        assert len((await keeper.ask(page)).verdicts) == 50


def test_a_database_that_is_held_is_left_behind(tmp_path: Path) -> None:
    keeper = Keeper(Plan(tmp_path / "records"))
    keeper.opening(30)
    other = sqlite3.connect(tmp_path / "records" / "goodsguard.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        assert keeper.put(draft())
        begun = time.monotonic()
        assert "recorder" in keeper.close(begun + 0.2)
        assert time.monotonic() - begun < 5
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert keeper.close(time.monotonic() + 60) == []


async def test_with_no_photos_there_are_no_thumbnails(tmp_path: Path) -> None:
    plan = Plan(tmp_path / "records", policy=PhotoPolicy("none"), limits=Limits(photo_days=1))
    with keeping(plan) as keeper:
        assert keeper.put(draft())
        assert keeper.flush(30)
    with sqlite3.connect(tmp_path / "records" / "goodsguard.db") as connection:
        assert connection.execute("SELECT count(*) FROM thumbnails").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM verdicts").fetchone() == (1,)
    connection.close()


def test_all_reasons_are_known_to_the_metrics() -> None:
    assert {"queue_full", "disk_full", "closed", "not_open"} < set(REASONS)

"""The recorder when all is not well: full queues, full disks, locked databases, kill -9."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from app.records import batch, opening, transactions, writing
from app.records.keeping import PhotoPolicy
from app.records.mending import mend
from app.records.opening import Records, open_records
from app.records.reading import count, page, thumbnail_of, verdict
from app.records.schema import ThumbnailRow
from app.records.verdicts import Verdict
from app.records.writing import Recorder
from tests.support import ROOT

from .made import ALL, draft, photo, recording, store


def until(condition: Any, seconds: float = 20) -> None:
    """Wait for what must come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another program holds the database: nobody can write."""
    with closing(sqlite3.connect(folder / "goodsguard.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """In `tmp_path`; whoever waits for others gives up soon."""
    monkeypatch.setattr(opening, "PATIENCE_S", 0.1)
    with open_records(tmp_path) as records:
        yield records


def test_only_what_the_policy_keeps_is_kept(records: Records) -> None:
    drafts = [draft(0, verdict="anomalous"), draft(1), draft(2, score=1.95)]
    store(records, drafts, policy=PhotoPolicy(sample=0))
    assert [verdict(records, one.id).photo_kept for one in drafts] == [True, False, True]
    assert len(list(records.photos.all())) == 2
    assert all(thumbnail_of(records, one.sha256) for one in page(records).verdicts)


def test_one_photo_of_two_verdicts_is_stored_once(records: Records) -> None:
    drafts = [draft(n, category=c, photo=photo(1)) for n, c in enumerate(("a", "b"))]
    store(records, drafts)
    assert len(list(records.photos.all())) == 1
    assert [verdict(records, one.id).photo_kept for one in drafts] == [True, True]


def test_the_same_draft_twice_is_one_verdict(records: Records) -> None:
    one = draft()
    store(records, [one, one])
    store(records, [one])
    assert count(records).number == 1


def test_nobody_waits_while_nothing_can_be_written(
    impatient: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts = [draft(number) for number in range(200)]
    attempts, real = [], batch.write

    def write(*args: Any) -> int:
        attempts.append(args)
        return real(*args)

    monkeypatch.setattr(writing, "write", write)
    with recording(impatient) as recorder:
        with held(tmp_path), capture_logs() as logs:
            start = time.perf_counter()
            assert all(recorder.put(one) for one in drafts)
            assert time.perf_counter() - start < 1
            until(lambda: recorder.state.trouble)
            state = recorder.state
            assert "another program has held" in str(state.trouble)
            assert state.since is not None
            assert (state.written, state.waiting, state.lost) == (0, 200, {})
            assert state.waiting_bytes == sum(len(one.photo) for one in drafts)
            until(lambda: len(attempts) >= 3)  # told once all the same
        assert recorder.flush(20)
        state = recorder.state
        assert (state.trouble, state.since, state.written, state.waiting) == (None, None, 200, 0)
    assert [log["event"] for log in logs if log["log_level"] == "error"] == [
        f"verdicts cannot be recorded: {logs[0]['event'].partition(': ')[2]}"
    ]
    assert count(impatient).number == 200


@pytest.mark.parametrize("bound", [{"max_waiting": 5}, {"max_bytes": 5 * len(photo(0))}])
def test_what_finds_the_queue_full_is_lost_and_counted(
    impatient: Records, tmp_path: Path, bound: dict[str, int]
) -> None:
    with recording(impatient, **bound) as recorder:
        with held(tmp_path), capture_logs() as logs:
            taken = [recorder.put(draft(0)) for _ in range(12)]
            assert taken == [True] * 5 + [False] * 7
            assert recorder.state.lost == {"queue_full": 7}
            assert recorder.state.trouble
        assert recorder.flush(20)
        until(lambda: recorder.state.trouble is None)
        assert recorder.put(draft(1))
    assert sum("too many wait" in log["event"] for log in logs) == 1
    assert recorder.state.lost == {"queue_full": 7}
    assert count(impatient).number == 6


def test_where_many_wait_none_is_drawn(impatient: Records, tmp_path: Path) -> None:
    """Drawing takes longest: verdicts are not lost for their thumbnails."""
    with recording(impatient, max_waiting=400) as recorder:
        with held(tmp_path):
            for number in range(400):
                assert recorder.put(draft(number))
            until(lambda: recorder.state.trouble)
        assert recorder.flush(30)
        state = recorder.state
        assert 64 <= state.not_drawn <= 256
        for number in range(400, 420):
            assert recorder.put(draft(number))
        assert recorder.flush(30)
        assert recorder.state.not_drawn == state.not_drawn
    with impatient.engine.connect() as connection:
        drawn = connection.scalar(sa.select(sa.func.count()).select_from(ThumbnailRow))
    assert drawn == 420 - state.not_drawn


def test_one_that_the_database_does_not_take_spoils_no_other(records: Records) -> None:
    bad = draft(1, regions=[{"peak": float("nan")}])
    drafts = [draft(0), bad, draft(2)]
    with recording(records) as recorder:
        for one in drafts:
            assert recorder.put(one)
        assert recorder.flush(20)
        assert recorder.state.lost == {"refused": 1}
        assert recorder.put(draft(3))
        assert recorder.flush(20)
        assert recorder.state.trouble is None
    assert count(records).number == 3


def test_who_wants_to_know_is_told_once_verdicts_are_stored(records: Records) -> None:
    seen: list[int] = []
    told = threading.Event()

    def written() -> None:
        seen.append(count(records).number)
        told.set()

    with recording(records, on_written=written) as recorder:
        assert recorder.put(draft(0))
        assert told.wait(30)
    assert seen == [1]  # what is told can be read by then


def test_numpy_s_numbers_are_numbers(records: Records) -> None:
    np = pytest.importorskip("numpy")
    one = draft(
        score=np.float32(1.5), width=np.int64(40), timings_ms={"total": np.float32(2.5)},
        regions=[{"peak": np.float32(0.5), "area": np.int64(3)}],
    )  # fmt: skip
    store(records, [one])
    found = verdict(records, one.id)
    assert (found.score, found.width, found.timings_ms) == (1.5, 40, {"total": 2.5})
    assert found.regions == [{"peak": 0.5, "area": 3}]


def test_a_photo_of_several_verdicts_is_drawn_once(records: Records) -> None:
    drawn = []

    def draw(data: bytes) -> bytes:
        drawn.append(data)
        return b"webp"

    one = photo(1)
    unusable = draft(9, verdict="unusable", width=None, photo=b"x")
    store(records, [*(draft(n, photo=one) for n in range(3)), unusable], draw=draw)
    assert drawn == [one]


def test_a_connection_that_was_cut_is_made_again(postgres_url: str, tmp_path: Path) -> None:
    with open_records(tmp_path, postgres_url) as records, recording(records) as recorder:
        assert recorder.put(draft(0))
        assert recorder.flush(20)
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()"
        admin = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as connection:
            assert connection.execute(sa.text(f"{cut} AND datname = current_database()")).all()
        assert recorder.put(draft(1))
        assert recorder.flush(20)
        assert recorder.state.lost == {}
        assert count(records).number == 2


def test_another_writer_that_takes_long_is_waited_for(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "PATIENCE_S", 0.1)
    with open_records(tmp_path, postgres_url) as records, recording(records) as recorder:
        with transactions.writing(records.engine):
            assert recorder.put(draft(0))
            until(lambda: recorder.state.trouble)
            assert "lock timeout" in str(recorder.state.trouble)
        assert recorder.flush(20)
        assert recorder.state.trouble is None


def test_a_photo_that_cannot_be_drawn_has_no_thumbnail(records: Records) -> None:
    one = draft(photo=b"no photo")
    store(records, [one])
    found = verdict(records, one.id)
    assert found.photo_kept
    assert thumbnail_of(records, found.sha256) is None


def test_a_folder_that_cannot_be_written_costs_the_photo_only(records: Records) -> None:
    records.photos.folder.parent.mkdir(exist_ok=True)
    records.photos.folder.write_text("in the way")
    with recording(records) as recorder:
        assert recorder.put(draft(0))
        assert recorder.flush(20)
        assert recorder.state.photos_lost == {"folder": 1}
        assert recorder.state.trouble
        records.photos.folder.unlink()
        assert recorder.put(draft(1))
        assert recorder.flush(20)
        assert recorder.state.trouble is None
    assert (recorder.state.written, recorder.state.photos_kept) == (2, 1)
    assert [one.photo_kept for one in page(records).verdicts] == [True, False]


def test_photos_leave_the_database_its_space(records: Records) -> None:
    with recording(records, min_free=1 << 60) as recorder:
        assert recorder.put(draft())
        assert recorder.flush(20)
        assert recorder.state.photos_lost == {"disk_full": 1}
    assert [one.photo_kept for one in page(records).verdicts] == [False]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many verdicts each transaction writes."""
    sizes: list[int] = []
    real = batch.write

    def write(records: Records, entries: Any, *rest: Any) -> int:
        sizes.append(len(entries))
        return real(records, entries, *rest)

    monkeypatch.setattr(writing, "write", write)
    return sizes


def test_those_of_a_while_are_written_together(
    records: Records, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of many, so many at a time: nobody waits for the while to end."""
    monkeypatch.setattr(writing, "_GATHER_S", 3600.0)
    with recording(records, draw=None) as recorder:
        for number in range(10):
            assert recorder.put(draft(number))
        assert recorder.flush(20)  # who asks does not wait for it either
        assert batches == [10]
        for number in range(10, 74):
            assert recorder.put(draft(number))
        until(lambda: recorder.state.written == 74)
        assert batches == [10, 64]


def test_a_while_ends_though_nobody_asks(records: Records) -> None:
    with recording(records, draw=None) as recorder:
        assert recorder.put(draft())
        until(lambda: recorder.state.written == 1)


def test_who_asks_waits_for_what_was_put_before_only(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come meanwhile: here one more with each that is written."""
    number, real = 0, batch.write
    ends = threading.Event()

    def write(*asked: Any) -> int:
        nonlocal number
        if not ends.is_set():
            number += 1
            assert recorder.put(draft(number))
        return real(*asked)

    monkeypatch.setattr(writing, "write", write)
    monkeypatch.setattr(writing, "_GATHER_S", 0.0)
    with recording(records, draw=None) as recorder:
        assert recorder.put(draft(0))
        try:
            assert all(recorder.flush(20) for _ in range(5))
        finally:
            ends.set()
    assert count(records).number == number + 1


def test_closing_writes_what_waits(records: Records) -> None:
    recorder = Recorder(records, ALL, min_free=0)
    for number in range(150):
        assert recorder.put(draft(number))
    assert recorder.close(30)
    assert count(records).number == 150
    assert not recorder.put(draft(200))
    assert recorder.state.lost == {"closed": 1}


def test_closing_ends_in_its_time(impatient: Records, tmp_path: Path) -> None:
    recorder = Recorder(impatient, ALL, min_free=0)
    with held(tmp_path):
        for number in range(100):
            assert recorder.put(draft(number))
        start = time.monotonic()
        assert not recorder.close(0.3)
        assert time.monotonic() - start < 5
        assert recorder.state.lost == {"closed": 100}
        until(lambda: "recorder" not in {thread.name for thread in threading.enumerate()})


PROGRAM = """
import json, sys
from pathlib import Path
from app.records.keeping import PhotoPolicy
from app.records.opening import open_records
from app.records.writing import Recorder
from tests.unit.records.made import draft
folder, url, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
records = open_records(folder, url)
recorder = Recorder(records, PhotoPolicy(keep="all"), min_free=0)
"""


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + program, *map(str, arguments)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_several_processes_write_beside_each_other(url: str, tmp_path: Path) -> None:
    program = (
        "taken = [recorder.put(draft(first + n)) for n in range(150)]\n"
        "assert all(taken) and recorder.close(60)\n"
    )
    processes = [python(program, tmp_path / "records", url, 100 * k) for k in range(3)]
    assert [process.communicate(timeout=120)[1] for process in processes] == [""] * 3
    with open_records(tmp_path / "records", url) as records:
        assert count(records).number == 450
        # A hundred of each process's photos are its own, fifty those of the next.
        assert len(list(records.photos.all())) == 350
        assert all(one.photo_kept for one in page(records, size=1000).verdicts)


def fill(disk: Path) -> Path:
    """Take what space there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return ballast


def test_a_full_disk_is_waited_for(small_disk: Path) -> None:
    """What waits is written once there is space again; nothing else is needed."""
    with open_records(small_disk) as records:
        with recording(records, max_waiting=300) as recorder, capture_logs() as logs:
            before = [draft(number) for number in range(20)]
            for one in before:
                assert recorder.put(one)
            assert recorder.flush(20)
            ballast = fill(small_disk)
            taken = [recorder.put(draft(20 + number)) for number in range(400)]
            until(lambda: recorder.state.lost and recorder.state.trouble)
            until(lambda: any("is full" in log["event"] for log in logs))
            assert [verdict(records, one.id).id for one in before]  # reading goes on
            ballast.unlink()
            assert recorder.flush(30)
            state = recorder.state
            assert state.trouble is None
            assert state.written == 20 + sum(taken) == count(records).number
            assert state.lost == {"queue_full": 400 - sum(taken)}
            assert state.photos_lost.get("disk_full", 0) + state.photos_kept == state.written
            assert recorder.put(draft(999))
        assert recorder.state.photos_lost == state.photos_lost
        kept = {one.sha256 for one in page(records, size=1000).verdicts if one.photo_kept}
        assert kept == set(records.photos.all())
    told = [log["event"] for log in logs if log["log_level"] == "error"]
    assert len(told) == len(set(told))


def test_a_limit_of_files_is_waited_for(tmp_path: Path) -> None:
    """A disk's end as any user can have it: no file may grow beyond some bytes."""
    program = """
import resource, time
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
for n in range(500):
    recorder.put(draft(n))
end = time.monotonic() + 30
while recorder.state.trouble is None and time.monotonic() < end:
    time.sleep(0.01)
stuck = recorder.state
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
flushed = recorder.flush(60)
state = recorder.state
print(json.dumps([stuck.trouble, flushed, state.trouble, state.written, sum(state.lost.values())]))
"""
    process = python(program, tmp_path, f"sqlite:///{tmp_path}/goodsguard.db", 0)
    out, err = process.communicate(timeout=120)
    stuck, flushed, trouble, written, lost = json.loads(out.splitlines()[-1])
    assert stuck, err
    assert (flushed, trouble, written + lost) == (True, None, 500)
    with open_records(tmp_path) as records:
        assert count(records).number == written


KILLED = """
print("open", flush=True)
number = first
while True:
    some = [draft(number + n, time=draft(0).time) for n in range(7)]
    for one in some:
        recorder.put(one)
    number += 7
    if number % 2:
        recorder.flush(60)
        print(json.dumps([str(one.id) for one in some]), flush=True)
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing_that_was_written(url: str, tmp_path: Path) -> None:
    """Also while it opens; always the same records, which every process finds as the last left."""
    chance = random.Random(0)
    folder = tmp_path / "records"
    rounds = 100 if url.startswith("sqlite") else 20
    committed: set[UUID] = set()
    for number in range(rounds):
        process = python(KILLED, folder, url, number * 10_000)
        assert process.stdout is not None
        if number % 4 == 3:
            time.sleep(chance.uniform(0.2, 1.2))  # somewhere in its start, or after it
        else:
            assert "open\n" in iter(process.stdout.readline, "")  # behind what it logs
            time.sleep(chance.uniform(0, 0.4))
        process.kill()
        out, err = process.communicate(timeout=30)
        assert err == ""
        for line in out.splitlines():
            if line.startswith("[") and line.endswith("]"):
                committed |= {UUID(one) for one in json.loads(line)}
        with open_records(folder, url) as records:
            if url.startswith("sqlite"):
                with records.engine.connect() as connection:
                    assert connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
            for sha256 in list(records.photos.all())[:: max(1, number // 4)]:
                found = records.photos.read(sha256)
                assert found is not None
                assert hashlib.sha256(found).hexdigest() == sha256  # no half photo
    assert len(committed) > rounds
    with open_records(folder, url) as records:
        stored: dict[UUID, Verdict] = {}
        cursor = None
        while True:
            some = page(records, cursor=cursor, size=1000)
            stored |= {one.id: one for one in some.verdicts}
            if (cursor := some.next) is None:
                break
        assert committed <= set(stored)
        mended = mend(records, older_than_s=-1)
        assert mended.rows == 0  # each row has its file
        kept = {one.sha256 for one in stored.values() if one.photo_kept}
        assert kept == set(records.photos.all())
        assert len(kept) >= len(committed)

"""Each line of the log is one write, whoever else writes to the same stream."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from app.logs import configure_logs
from tests.support import ROOT

THREADS, LINES, PROCESSES = 4, 50, 3


class Writes(io.StringIO):
    """Stands in for standard error, and remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def write(self, text: str) -> int:
        self.found.append(text)
        return len(text)

    def lines(self) -> list[dict[str, object]]:
        """The events; a write that is not a whole line is a fault."""
        assert all(text.endswith("\n") and text.count("\n") == 1 for text in self.found)
        return [json.loads(text) for text in self.found]


@pytest.fixture
def _pythons_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process of its own: pytest has hooks, too."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch, _logs_restored: None, _pythons_hooks: None) -> Writes:
    writes = Writes()
    monkeypatch.setattr(sys, "stderr", writes)
    configure_logs("info")
    return writes


def by_threads(*tell: Callable[[int], object]) -> None:
    def work(one: Callable[[int], object]) -> None:
        for number in range(LINES):
            one(number)

    threads = [threading.Thread(target=work, args=(one,)) for one in tell]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_every_line_is_one_write(writes: Writes) -> None:
    log, other = structlog.get_logger(), logging.getLogger("uvicorn.error")
    by_threads(
        *[lambda number: log.info("ours", number=number)] * THREADS,
        *[lambda number: other.info("theirs %d", number)] * THREADS,
    )
    assert len(writes.lines()) == 2 * THREADS * LINES


def test_a_thread_that_fails_is_one_line(writes: Writes) -> None:
    def fail() -> None:
        raise RuntimeError("the disk is gone")

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    (line,) = writes.lines()
    assert (line["event"], line["thread"]) == ("a thread has failed", "worker")
    assert "RuntimeError: the disk is gone" in str(line["exception"])


def test_a_fault_at_an_objects_end_is_one_line(writes: Writes) -> None:
    class Thing:
        def __del__(self) -> None:
            raise RuntimeError("already closed")

    thing = Thing()
    del thing
    (line,) = writes.lines()
    assert "Thing.__del__" in str(line["where"])
    assert "already closed" in str(line["exception"])


@pytest.mark.usefixtures("_logs_restored")
def test_hooks_of_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs(_: object) -> None:
        """Somebody else's."""

    monkeypatch.setattr(threading, "excepthook", theirs)
    monkeypatch.setattr(sys, "unraisablehook", theirs)
    configure_logs("info")
    assert (threading.excepthook, sys.unraisablehook) == (theirs, theirs)


# Every other line is larger than what Python gathers before it writes, as an exception's text is.
WORKER = f"""
import logging, structlog, threading
from app.logs import configure_logs

configure_logs("info")
log, other = structlog.get_logger(), logging.getLogger("uvicorn.error")

def work():
    for number in range({LINES}):
        log.info("ours", text=number % 2 * 20_000 * "x")
        other.info("theirs %d", number)

for thread in [threading.Thread(target=work) for _ in range({THREADS})]:
    thread.start()
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_processes_share_a_file(tmp_path: Path, unbuffered: str) -> None:
    path = tmp_path / "log"
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered, "PYTHONPATH": str(ROOT)}
    with path.open("a") as file:
        processes = [
            subprocess.Popen([sys.executable, "-c", WORKER], stderr=file, env=environment, cwd=ROOT)
            for _ in range(PROCESSES)
        ]
        assert [process.wait(120) for process in processes] == [0] * PROCESSES
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == PROCESSES * 2 * THREADS * LINES

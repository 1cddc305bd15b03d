"""Several worker processes behind one port: /metrics shows all of them, whoever answers."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.core.store import artifact as artifacts
from tests.e2e import fake_network
from tests.e2e.process import SERVE, Server, running
from tests.integration.service import GOOD, store_banks
from tests.support import make_artifact

TIMEOUT_S = 60
QUEUE = 7


@contextmanager
def workers(root: Path, command: tuple[str, ...]) -> Iterator[Server]:
    """Two of them, ended with their parent whatever comes."""
    with running(
        root / "log",
        command=(*command, "--workers", "2"),
        models_dir=root / "models",
        reports_dir=root,
        device="cpu",
        threads="1",
        watch_s="0.1",
        drain_s="0",
        queue_size=str(QUEUE),
    ) as server:
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.stop()


def metrics(server: Server) -> str:
    """By a connection of its own, so that either may answer."""
    text = httpx.get(f"{server.client.base_url}/metrics", timeout=TIMEOUT_S).text
    assert "# EOF" in text or text.endswith("\n")
    return text


def value(text: str, sample: str) -> float | None:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.M)
    return float(found[1]) if found else None


def until(server: Server, sample: str, wanted: float | None) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while (seen := value(metrics(server), sample)) != wanted:
        assert time.monotonic() < deadline, f"{sample}: {seen}\n{server.log.read_text()}"
        time.sleep(0.05)


def pids(folder: Path) -> set[int]:
    return {int(path.stem.rpartition("_")[2]) for path in folder.glob("counter_*.db")}


def info(version: str) -> str:
    return f'goodsguard_bank_info{{bank_version="{version}",category="can",preset="colour"}}'


@pytest.mark.slow
def test_all_workers_are_counted_whichever_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "metrics"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))  # made by whoever comes first
    store_banks(tmp_path / "models")
    before = artifacts.current_version(tmp_path / "models" / "can")
    with workers(tmp_path, fake_network.COMMAND) as server:
        until(server, "goodsguard_queue_size", 2 * QUEUE)
        assert len(pids(folder)) == 2
        url = f"{server.client.base_url}/score/can"
        for _ in range(12):
            assert httpx.post(url, files={"file": GOOD}, timeout=TIMEOUT_S).status_code == 200
        judged = 'goodsguard_verdicts_total{category="can",verdict="normal"}'
        seen = [metrics(server) for _ in range(8)]
        assert {value(text, judged) for text in seen} == {12}
        assert {value(text, "goodsguard_queue_depth") for text in seen} == {0}
        assert {value(text, info(before)) for text in seen} == {1}
        assert {value(text, 'goodsguard_category_up{category="torn"}') for text in seen} == {0}
        asked = 'goodsguard_requests_total{method="POST",route="/score/{category}",status="200"}'
        assert {value(text, asked) for text in seen} == {12}
        # Memory is that of both, by either.
        memory = [value(text, "process_resident_memory_bytes") or 0 for text in seen]
        one = [resident(pid) for pid in pids(folder)]
        assert min(memory) > max(one)

        after = artifacts.save(tmp_path / "models", make_artifact("can")).bank_version
        until(server, info(after), 1)
        until(server, info(before), None)  # once both have taken up the new one

        killed = min(pids(folder))
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + TIMEOUT_S
        while len(pids(folder)) < 3:  # its parent makes another
            assert time.monotonic() < deadline
            time.sleep(0.05)
        until(server, "goodsguard_queue_size", 2 * QUEUE)
        assert list(folder.glob(f"gauge_live*_{killed}.db")) == []
        assert value(metrics(server), judged) == 12  # what the dead one counted stays
    assert "shows those of one" not in server.log.read_text()


def resident(pid: int) -> int:
    """Bytes of memory, less what may come and go."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return int(pages * os.sysconf("SC_PAGE_SIZE") * 0.9)


@pytest.mark.slow
def test_serve_keeps_a_folder_for_them_and_takes_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with workers(tmp_path, SERVE) as server:
        until(server, "goodsguard_queue_size", 2 * QUEUE)
        assert len(list(tmp_path.glob("goodsguard-metrics-*"))) == 1
        assert server.stop() == 0
        assert list(tmp_path.glob("goodsguard-metrics-*")) == []
    assert all(line["level"] != "error" for line in server.log_lines())
    assert "shows those of one" not in server.log.read_text()


@pytest.mark.slow
def test_workers_each_for_itself_say_so(tmp_path: Path) -> None:
    with workers(tmp_path, fake_network.COMMAND) as server:
        deadline = time.monotonic() + TIMEOUT_S
        while server.log.read_text().count("PROMETHEUS_MULTIPROC_DIR") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["", "a-file/below"])
def test_a_folder_that_cannot_be_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", folder and str(tmp_path / folder))
    with (
        pytest.raises(AssertionError, match=r"error: not started: PROMETHEUS_MULTIPROC_DIR\b"),
        running(tmp_path / "log", models_dir=tmp_path, reports_dir=tmp_path),
    ):
        pass

"""Signals that come at any moment, while the log is written without a pause."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from app.access.keys import ApiKey, hashed
from app.access.keys_file import append
from app.core.store import artifact as artifacts
from tests.e2e import fake_network
from tests.e2e.process import SERVE, Server, running
from tests.e2e.test_draining import ENDED_WELL
from tests.integration.service import GOOD, store_banks
from tests.support import make_artifact

TIMEOUT_S = 30


@contextmanager
def hammered(server: Server, headers: dict[str, str]) -> Iterator[None]:
    """Requests, each of which writes a line, as fast as they are answered."""
    over = threading.Event()

    def hammer() -> None:
        with httpx.Client(base_url=server.client.base_url, headers=headers, timeout=60) as client:
            while not over.is_set():
                with suppress(httpx.TransportError):
                    client.get("/categories/none")

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(TIMEOUT_S)


def until(server: Server, event: str, count: int = 1) -> list[dict[str, object]]:
    """The log's lines of this event, once there are so many."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        found = [line for line in whole_lines(server) if line["event"] == event]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, server.log.read_text()[-5000:]
        time.sleep(0.02)


def whole_lines(server: Server) -> list[dict[str, object]]:
    with suppress(ValueError):  # the last one is being written
        return list(server.log_lines())
    return []


def add_key(path: Path, name: str) -> None:
    append(path, ApiKey(name=name, sha256=hashed(name.encode()), scopes=frozenset({"admin"})))


def test_keys_and_banks_are_taken_up_at_sighup_and_sigterm_ends_it(tmp_path: Path) -> None:
    models, keys, cameras = tmp_path / "models", tmp_path / "keys.toml", tmp_path / "cameras.toml"
    store_banks(models)
    cameras.write_text("[cameras.old]\n")
    add_key(keys, "first")
    moments = random.Random(5)
    with (
        running(
            tmp_path / "log",
            command=fake_network.COMMAND,
            models_dir=models,
            reports_dir=tmp_path,
            api_keys_file=keys,
            cameras=cameras,
            device="cpu",
            threads="1",
            watch_s="0",  # what is taken up is by the signal
            drain_s="0.3",
        ) as server,
        hammered(server, {"X-API-Key": "first"}),
    ):
        new = make_artifact("can")
        artifacts.save(models, new)
        add_key(keys, "second")
        cameras.write_text("[cameras.new]\n")  # nobody names one: the signal alone has it read
        for _ in range(100):
            server.process.send_signal(signal.SIGHUP)
            time.sleep(moments.uniform(0, 0.01))
        until(server, "SIGHUP: done")
        read = [line["names"] for line in until(server, "cameras read from their file", 2)]
        assert read == [["old"], ["new"]]
        answer = server.client.get("/categories/can", headers={"X-API-Key": "second"})
        assert answer.json()["bank_version"] == new.manifest.bank_version
        for _ in range(20):
            with suppress(ProcessLookupError):
                server.process.send_signal(signal.SIGTERM)
            time.sleep(moments.uniform(0, 0.01))
        assert server.process.wait(TIMEOUT_S) in ENDED_WELL
        lines = server.log_lines()
    events = [line["event"] for line in lines]
    assert events.count("draining") == 1
    assert "Finished server process" in str(events)
    assert "Traceback" not in server.log.read_text()
    done = [line for line in lines if line["event"] == "SIGHUP: done"]
    assert done[0]["loaded"] == ["can"]
    assert done[0]["failed"] == ["torn"]
    # They come faster than they can be obeyed, one by one.
    assert 1 <= len(done) <= 100
    assert all("request_id" not in line for line in done)


@pytest.mark.slow
def test_a_service_without_keys_and_banks_lives_through_sighup(tmp_path: Path) -> None:
    with running(
        tmp_path / "log", command=SERVE, models_dir=tmp_path / "models", reports_dir=tmp_path
    ) as server:
        server.process.send_signal(signal.SIGHUP)
        until(server, "SIGHUP: done")
        store_banks(tmp_path / "models")
        server.process.send_signal(signal.SIGHUP)
        until(server, "SIGHUP: done", 2)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.1)
        assert server.client.get("/livez").status_code == 200
        assert server.client.post("/score/can", files={"file": GOOD}).status_code == 503

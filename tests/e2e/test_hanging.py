"""A network that hangs: the process ends all the same, within its time."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from app.core.store import artifact as artifacts
from app.service.patience import CLOSE_S
from tests.e2e import fake_network
from tests.e2e.process import Server, running
from tests.e2e.test_draining import ENDED_WELL
from tests.integration.service import store_banks
from tests.support import ROOT, encode, make_artifact, plain, write_category

PHOTO = encode(plain(120))
DRAIN_S, GRACE_S = 0.3, 1
# Draining, the closed port, requests under way, closing: all that there is; and Python's own
# end, which takes seconds on a busy machine. What hangs, hangs for ever.
WITHIN_S = DRAIN_S + 0.52 + GRACE_S + CLOSE_S + 20


@contextmanager
def serving(root: Path, *options: str) -> Iterator[Server]:
    store_banks(root / "models")
    write_category(root / "data")
    with running(
        root / "log",
        command=(*fake_network.COMMAND, *options),
        models_dir=root / "models",
        data_dir=root / "data",
        reports_dir=root / "reports",
        device="cpu",
        threads="1",
        watch_s="0",
        drain_s=str(DRAIN_S),
    ) as server:
        yield server


@contextmanager
def asking(ask: Callable[[], httpx.Response]) -> Iterator[list[httpx.Response]]:
    """A request that nobody waits for; what it was answered, if it was."""
    answers: list[httpx.Response] = []

    def run() -> None:
        with suppress(httpx.TransportError):
            answers.append(ask())

    thread = threading.Thread(target=run)
    thread.start()
    yield answers
    thread.join(30)
    assert not thread.is_alive()


def test_a_network_that_hangs_at_the_start_does_not_keep_the_process(tmp_path: Path) -> None:
    store_banks(tmp_path / "models")
    fake_network.hang(tmp_path / "models")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*fake_network.COMMAND, "--port", "0"],
            cwd=ROOT,
            env=os.environ | {"GOODSGUARD_MODELS_DIR": str(tmp_path / "models")},
            stderr=log,
        )
    try:
        fake_network.until_hanging(tmp_path / "models")
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert "stopped by SIGTERM while starting" in (tmp_path / "log").read_text()


ASKED: dict[str, Callable[[httpx.Client], httpx.Response]] = {
    "a photo": lambda c: c.post("/score/can", files={"file": PHOTO}),
    "an evaluation": lambda c: c.post("/evaluate/can?wait=true"),
    "a reload": lambda c: c.post("/admin/reload"),
}


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("a photo", signal.SIGTERM),
        pytest.param("a reload", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("a photo", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("an evaluation", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("a reload", signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_the_process_ends_in_time(tmp_path: Path, what: str, number: signal.Signals) -> None:
    with serving(tmp_path, "--timeout-graceful-shutdown", str(GRACE_S)) as server:
        assert server.client.post("/score/can", files={"file": PHOTO}).status_code == 200
        fake_network.hang(tmp_path / "models")
        if what == "a reload":  # the new version's golden photos hang
            artifacts.save(tmp_path / "models", make_artifact())
        with (
            httpx.Client(base_url=server.client.base_url, timeout=60) as other,
            asking(lambda: ASKED[what](other)) as answers,
        ):
            fake_network.until_hanging(tmp_path / "models")
            begun = time.monotonic()
            server.process.send_signal(number)
            status = server.process.wait(WITHIN_S + 10)
            took = time.monotonic() - begun
    assert took < WITHIN_S, server.log.read_text()
    assert status in (*ENDED_WELL, -signal.SIGINT)
    assert [a.status_code for a in answers if a.status_code < 500] == []
    log = server.log.read_text()
    assert "Application shutdown complete" in log
    if what != "a reload":
        (left,) = [line for line in server.log_lines() if "left behind" in line["event"]]
        assert any(name.startswith("network") for name in left["threads"])

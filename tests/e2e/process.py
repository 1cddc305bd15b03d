"""The real service as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support import ROOT

START_TIMEOUT_S = 120
UVICORN = (
    *(sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app"),
    *("--no-access-log", "--no-server-header"),
)
SERVE = (sys.executable, "-m", "app", "serve")


@dataclass
class Server:
    """A running service: its process, a client, and where its standard error goes."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path

    def score(self, photo: bytes, category: str = "elpv_mono") -> dict[str, Any]:
        answer = self.client.post(f"/score/{category}", files={"file": ("p.png", photo)})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def stop(self, timeout: float = 30) -> int:
        """Ask it to end, as an orchestrator does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


def run_script(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts as a user would."""
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / name, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@contextmanager
def running(
    log: Path,
    *,
    command: Sequence[str | Path] = UVICORN,
    folder: str | Path = ROOT,
    port: str | Path = "",
    **settings: str | Path,
) -> Iterator[Server]:
    """Start the service with `GOODSGUARD_<name>` settings, wait until it answers, end it.

    Args:
        command: what starts it; `--host` and `--port` are added. folder: where it is started.
        port: a free one where empty.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(port) or str(probe.getsockname()[1])
    environment = os.environ | {f"GOODSGUARD_{n.upper()}": str(v) for n, v in settings.items()}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", port],
            cwd=folder,
            env=environment,
            stderr=stderr,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            server = Server(process, client, log)
            _wait_until_alive(server)
            yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait_until_alive(server: Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log.read_text()
        try:
            if server.client.get("/livez").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"not up within {START_TIMEOUT_S} s:\n{server.log.read_text()}")

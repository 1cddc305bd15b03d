"""A real broker of its own, for a test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Broker:
    """Mosquitto on a free port; it may be stopped and started again on the same one."""

    def __init__(self, folder: Path, password: str | None) -> None:
        program = shutil.which(
            "mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
        )
        if program is None:
            pytest.skip("mosquitto is not installed (Debian: apt install mosquitto)")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "user root", f"log_dest file {folder}/log"]
        if password is None:
            lines.append("allow_anonymous true")
        else:
            users = folder / "users"
            subprocess.run(["mosquitto_passwd", "-b", "-c", users, "bridge", password], check=True)
            lines += ["allow_anonymous false", f"password_file {users}"]
        config.write_text("\n".join(lines) + "\n")
        self._command = [program, "-c", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < until, "mosquitto does not start"
                time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def mosquitto(folder: Path, password: str | None = None) -> Iterator[Broker]:
    """A broker until the end of the block."""
    broker = Broker(folder, password)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()

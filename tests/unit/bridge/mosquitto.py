"""A real broker at a free port."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.bridge.config import Broker

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mosquitto(folder: Path, port: int = 0, password: str = "") -> Iterator[Broker]:
    """It runs while the body does; with a password, for the user `camera`."""
    port = port or free_port()
    lines = [f"listener {port} 127.0.0.1", "persistence false"]
    if password:
        subprocess.run(
            ["mosquitto_passwd", "-c", "-b", folder / "passwords", "camera", password], check=True
        )
        (folder / "passwords").chmod(0o644)
        lines += ["allow_anonymous false", f"password_file {folder / 'passwords'}", "user root"]
    else:
        lines.append("allow_anonymous true")
    (folder / "mosquitto.conf").write_text("\n".join([*lines, ""]))
    assert PROGRAM is not None
    broker = subprocess.Popen([PROGRAM, "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        _wait(broker, port)
        yield Broker(url=f"mqtt://127.0.0.1:{port}")
    finally:
        broker.kill()
        broker.wait()


def _wait(broker: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert broker.poll() is None
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the broker does not listen")

"""SIGTERM: the real server says that it stops, and answers all who ask until it does."""

from __future__ import annotations

import http.client
import json
import select
import signal
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Elpv
from tests.e2e.process import SERVE, UVICORN, Server, running
from tests.support import ROOT

# As a shell expects: uvicorn ends well and then lets the signal have its way.
ENDED_WELL = (0, -signal.SIGTERM)
# The image's command, run in the checkout.
IMAGE = (
    *(sys.executable, "-m"),
    *json.loads((ROOT / "Dockerfile").read_text().splitlines()[-1].removeprefix("CMD ")),
)
IMAGE = tuple(part.replace("goodsguard.main", "app.main") for part in IMAGE)


class SlowRequest:
    """A photo of which the last half is sent later, on a connection of its own."""

    def __init__(self, server: Server, photo: bytes) -> None:
        url = server.client.base_url
        self._rest = photo[len(photo) // 2 :]
        self._socket = socket.create_connection((url.host, url.port or 80), timeout=30)
        head = (
            "POST /score/elpv_mono HTTP/1.1\r\n"
            f"Host: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {len(photo)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + photo[: len(photo) // 2])

    def finish(self) -> str:
        """Send the rest; all that the server answers until it closes the connection."""
        self._socket.sendall(self._rest)
        answer = b""
        while chunk := self._socket.recv(65_536):
            answer += chunk
        self._socket.close()
        return answer.decode()


def is_ready(client: httpx.Client) -> bool:
    return client.get("/readyz").status_code == 200


def until_not_ready(server: Server) -> None:
    deadline = time.monotonic() + 10
    while is_ready(server.client):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "command",
    [pytest.param(UVICORN, id="uvicorn", marks=pytest.mark.slow), pytest.param(SERVE, id="serve")],
)
def test_requests_are_answered_until_the_server_stops(
    elpv: Elpv, tmp_path: Path, command: tuple[str, ...]
) -> None:
    photo = elpv.photos()["good"][0]
    with running(
        tmp_path / "log",
        command=command,
        models_dir=elpv.models,
        reports_dir=tmp_path,
        device="cpu",
        threads="1",
        drain_s="3",
    ) as server:
        assert server.score(photo)["category"] == "elpv_mono"
        assert "connection" not in server.client.get("/readyz").headers
        slow = SlowRequest(server, photo)
        told = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        until_not_ready(server)
        answered = 0
        while answered < 3:  # in far less than it drains
            for path in ("/readyz", "/livez"):
                answer = server.client.get(path)
                assert answer.headers["connection"] == "close"
                assert answer.status_code == (503 if path == "/readyz" else 200)
            assert answer_to(server, photo).headers["connection"] == "close"
            answered += 1
        readiness = server.client.get("/readyz").json()
        assert (readiness["status"], readiness["reason"]) == ("not ready", "stopping")
        until_refused(server)
        assert time.monotonic() >= told + 3
        # Begun before the signal, ended after the port was closed.
        assert server.process.poll() is None
        head, _, body = slow.finish().partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 200 ")
        assert '"bank_version"' in body
        assert server.process.wait(20) in ENDED_WELL
    log = server.log.read_text()
    assert "Application shutdown complete" in log
    assert "Finished server process" in log
    assert "Traceback" not in log
    assert [line["seconds"] for line in server.log_lines() if line["event"] == "draining"] == [3.0]


def answer_to(server: Server, photo: bytes) -> httpx.Response:
    answer = server.client.post("/score/elpv_mono", files={"file": photo})
    assert answer.status_code == 200, answer.text
    return answer


def until_refused(server: Server) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            server.client.get("/livez")
        except httpx.TransportError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    with running(tmp_path / "log", models_dir=tmp_path / "none", drain_s="60") as server:
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while server.client.get("/readyz").json()["reason"] != "stopping":
            assert time.monotonic() < deadline
        assert server.process.poll() is None
        assert server.stop(30) in ENDED_WELL  # half of what it was to drain
    assert "Application shutdown complete" in server.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [SERVE, IMAGE, UVICORN], ids=["goodsguard serve", "the image's", "uvicorn"]
)
def test_an_idle_connection_is_kept(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A camera that sends a photo every few seconds, as uvicorn's own 5 s would cut it off."""
    with running(
        tmp_path / "log", command=command, models_dir=tmp_path / "none", reports_dir=tmp_path
    ) as server:
        url = server.client.base_url
        connection = http.client.HTTPConnection(url.host, url.port or 80, timeout=30)
        for idle_s in (0, 6):
            time.sleep(idle_s)
            if idle_s:  # the same connection, and nothing has come on it: it is not closed
                assert not select.select([connection.sock], [], [], 0)[0]
            connection.request("POST", "/score/none", b"photo", {"Content-Type": "image/png"})
            answer = connection.getresponse()
            assert (answer.status, answer.read()[:1]) == (404, b"{")
        connection.close()

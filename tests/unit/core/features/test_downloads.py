"""Downloads, from a server on this machine."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from app.core.errors import WeightsNotFound
from app.core.features import downloads
from app.core.features.downloads import download
from app.core.features.weight_sources import Torchvision

CONTENT = bytes(range(256)) * 1200
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Sends the content; below /silent only half of it, and then nothing more."""

    default_timeouts: list[float | None] = []  # noqa: RUF012 - of the process, while it is asked
    go_on = threading.Event()

    def do_HEAD(self) -> None:
        self.default_timeouts.append(socket.getdefaulttimeout())
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        half = len(CONTENT) // 2
        self.wfile.write(CONTENT[:half])
        if self.path.startswith("/silent"):
            self.wfile.flush()
            self.go_on.wait(20)
        elif not self.path.startswith("/short"):
            self.wfile.write(CONTENT[half:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def _served() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        Server.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Server.default_timeouts.clear()
    Server.go_on.clear()
    with _served() as served:
        yield served


def test_a_file_comes_whole_and_sets_no_time_out_for_others(address: str, tmp_path: Path) -> None:
    download(f"{address}/weights", tmp_path / "weights", SHA256[:8])
    assert (tmp_path / "weights").read_bytes() == CONTENT
    assert Server.default_timeouts == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]


@pytest.mark.parametrize(
    ("path", "begins", "error"),
    [
        ("weights", "0" * 8, ValueError),
        ("short", SHA256[:8], ValueError),
        ("silent", SHA256[:8], TimeoutError),
        ("missing", SHA256[:8], OSError),
    ],
)
def test_what_does_not_come_whole_leaves_nothing(
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    begins: str,
    error: type[Exception],
) -> None:
    monkeypatch.setattr(downloads, "NETWORK_TIMEOUT_S", 0.3)
    with pytest.raises(error):
        download(f"{address}/{path}", tmp_path / "weights", begins)
    assert list(tmp_path.iterdir()) == []


def test_torchvisions_weights_are_checked_by_their_name(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    name = f"network-{SHA256[:8]}.pth"
    monkeypatch.setattr(Torchvision, "_url", lambda _: f"{address}/{name}")
    path = Torchvision("any").fetch("network")
    assert path == tmp_path / "checkpoints" / name
    assert path.read_bytes() == CONTENT
    monkeypatch.setattr(Torchvision, "_url", lambda _: f"{address}/network-00000000.pth")
    with pytest.raises(WeightsNotFound, match="sha256"):
        Torchvision("any").fetch("network")

"""Weights that must be fetched, from a process of its own without a network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE

import pytest

from app.core.features.backbones import get_backbone
from app.core.features.weight_sources import Hub
from tests.support import ROOT

# Processes of their own that import torch: seconds each.
pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys, time
import torchvision.models, huggingface_hub.file_download  # seconds without any network
from app.core.features.backbones import get_backbone
from app.core.features.weights import find_weights
from app.core.errors import WeightsError
start = time.monotonic()
try:
    text = "found " + find_weights(get_backbone(sys.argv[1])).sha256
except WeightsError as exc:
    text = str(exc)
print(json.dumps({"text": text, "seconds": time.monotonic() - start}))
"""


@dataclass(frozen=True)
class Answer:
    """What the process said, how long it looked, and the empty cache that it looked in."""

    text: str
    seconds: float
    home: Path


# What each publisher's cache is called, below the folder that its variable names.
CACHES = {"resnet18": "hub/checkpoints", "dinov2_vits14": "hub"}
CASES = [(name, network) for name in CACHES for network in ("unreachable", "silent")]


def look_for_weights(name: str, home: Path, **network: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment |= {"TORCH_HOME": str(home), "HF_HOME": str(home)} | network
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name], env=environment, cwd=ROOT, stdout=PIPE, text=True
    )


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Answer]:
    """What the search says through a proxy that is not there, and through a silent one.

    All processes run at once: the silent ones mostly wait.
    """
    homes = {case: tmp_path_factory.mktemp("-".join(case)) for case in CASES}
    with socket.socket() as closed, socket.socket() as silent:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)  # lets callers connect and never says a word
        proxies = {
            network: f"http://127.0.0.1:{place.getsockname()[1]}"
            for network, place in (("unreachable", closed), ("silent", silent))
        }
        started = {
            case: look_for_weights(
                case[0], homes[case], https_proxy=proxies[case[1]], http_proxy=proxies[case[1]]
            )
            for case in CASES
        }
        said = {case: process.communicate(timeout=120)[0] for case, process in started.items()}
    return {case: Answer(home=homes[case], **json.loads(said[case])) for case in CASES}


Answers = dict[tuple[str, str], Answer]


@pytest.mark.parametrize("case", CASES)
def test_a_missing_network_is_reported_within_ten_seconds(
    answers: Answers, case: tuple[str, str]
) -> None:
    assert answers[case].seconds < 10


@pytest.mark.parametrize("case", CASES)
def test_the_report_names_three_ways_out(answers: Answers, case: tuple[str, str]) -> None:
    answer = answers[case]
    assert "--weights FILE or GOODSGUARD_WEIGHTS" in answer.text
    assert str(answer.home / CACHES[case[0]]) in answer.text
    assert "embedded-patch" in answer.text


@pytest.mark.parametrize("case", CASES)
def test_no_part_of_a_file_is_left(answers: Answers, case: tuple[str, str]) -> None:
    left = [path for path in answers[case].home.rglob("*") if path.is_file()]
    # The hub's client marks its folder as a cache, for backups to pass over.
    assert [path for path in left if path.name not in ("CACHEDIR.TAG", ".gitignore")] == []


WEIGHTS = b"weights " * 1000


class FakeHub(BaseHTTPRequestHandler):
    """Serves one file as the hub does, under the name of its hash: that of `WEIGHTS`."""

    content = WEIGHTS

    def do_HEAD(self) -> None:
        source = get_backbone("dinov2_vits14").weights
        assert isinstance(source, Hub)
        there = self.path == f"/{source.repository}/resolve/{source.commit}/{source.file}"
        self.send_response(200 if there else 404)
        if there:
            self.send_header("ETag", f'"{sha256(WEIGHTS).hexdigest()}"')
            self.send_header("X-Repo-Commit", source.commit)
            self.send_header("Content-Length", str(len(self.content)))
        else:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class DamagedHub(FakeHub):
    content = WEIGHTS[::-1]


@contextmanager
def served(hub: type[FakeHub]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("hub", "said"),
    [(FakeHub, f"found {sha256(WEIGHTS).hexdigest()}"), (DamagedHub, "is damaged")],
)
def test_weights_are_downloaded_from_the_hub_and_checked(
    hub: type[FakeHub], said: str, tmp_path: Path
) -> None:
    with served(hub) as address:
        process = look_for_weights("dinov2_vits14", tmp_path, HF_ENDPOINT=address)
        answer = json.loads(process.communicate(timeout=120)[0])
    assert said in answer["text"]

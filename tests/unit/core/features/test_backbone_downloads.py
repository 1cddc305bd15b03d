"""Weights that must be fetched, from a process of its own without a network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.support import ROOT

# Processes of their own that import torch: seconds each.
pytestmark = pytest.mark.slow

PROGRAM = """
import json, time
from app.core.features.backbones import get_backbone
from app.core.features.weights import find_weights
from app.core.errors import WeightsNotFound
start = time.monotonic()
try:
    find_weights(get_backbone("resnet18"))
    text = "found"
except WeightsNotFound as exc:
    text = str(exc)
print(json.dumps({"text": text, "seconds": time.monotonic() - start}))
"""


@dataclass(frozen=True)
class Answer:
    """What the process said, how long it looked, and the empty cache that it looked in."""

    text: str
    seconds: float
    home: Path


def look_for_weights(proxy_port: int, torch_home: Path) -> subprocess.Popen[str]:
    proxy = f"http://127.0.0.1:{proxy_port}"
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | {
        "https_proxy": proxy,
        "http_proxy": proxy,
        "TORCH_HOME": str(torch_home),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=ROOT, stdout=PIPE, text=True
    )


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """What the search says through a proxy that is not there, and through a silent one.

    Both processes run at once: the silent one mostly waits.
    """
    homes = {name: tmp_path_factory.mktemp(name) for name in ("unreachable", "silent")}
    with socket.socket() as closed, socket.socket() as silent:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)  # lets callers connect and never says a word
        ports = {"unreachable": closed.getsockname()[1], "silent": silent.getsockname()[1]}
        started = {name: look_for_weights(ports[name], homes[name]) for name in homes}
        said = {name: process.communicate(timeout=120)[0] for name, process in started.items()}
    return {name: Answer(home=homes[name], **json.loads(said[name])) for name in homes}


@pytest.mark.parametrize("network", ["unreachable", "silent"])
def test_a_missing_network_is_reported_within_ten_seconds(
    answers: dict[str, Answer], network: str
) -> None:
    assert answers[network].seconds < 10


@pytest.mark.parametrize("network", ["unreachable", "silent"])
def test_the_report_names_three_ways_out(answers: dict[str, Answer], network: str) -> None:
    answer = answers[network]
    assert "--weights FILE or GOODSGUARD_WEIGHTS" in answer.text
    assert str(answer.home / "hub" / "checkpoints") in answer.text
    assert "embedded-knn" in answer.text


@pytest.mark.parametrize("network", ["unreachable", "silent"])
def test_no_part_of_a_file_is_left(answers: dict[str, Answer], network: str) -> None:
    assert [path for path in answers[network].home.rglob("*") if path.is_file()] == []

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
import json, sys, time
import torchvision.models, huggingface_hub.file_download  # seconds without any network
from app.core.features.backbones import get_backbone
from app.core.features.weights import find_weights
from app.core.errors import WeightsNotFound
start = time.monotonic()
try:
    find_weights(get_backbone(sys.argv[1]))
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


# What each publisher's cache is called, below the folder that its variable names.
CACHES = {"resnet18": "hub/checkpoints", "dinov2_vits14": "hub"}
CASES = [(name, network) for name in CACHES for network in ("unreachable", "silent")]


def look_for_weights(name: str, proxy_port: int, home: Path) -> subprocess.Popen[str]:
    proxy = f"http://127.0.0.1:{proxy_port}"
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | {
        "https_proxy": proxy,
        "http_proxy": proxy,
        "TORCH_HOME": str(home),
        "HF_HOME": str(home),
    }
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
        ports = {"unreachable": closed.getsockname()[1], "silent": silent.getsockname()[1]}
        started = {c: look_for_weights(c[0], ports[c[1]], homes[c]) for c in CASES}
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
    assert "embedded-knn" in answer.text


@pytest.mark.parametrize("case", CASES)
def test_no_part_of_a_file_is_left(answers: Answers, case: tuple[str, str]) -> None:
    left = [path for path in answers[case].home.rglob("*") if path.is_file()]
    # The hub's client marks its folder as a cache, for backups to pass over.
    assert [path for path in left if path.name not in ("CACHEDIR.TAG", ".gitignore")] == []

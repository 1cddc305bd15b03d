"""Commands whose output cannot be written do their work all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.store import artifact as artifacts
from tests.support import ROOT, make_artifact, version_number

THRESHOLD = (sys.executable, "-m", "app", "threshold", "--category", "can", "--alpha", "0.25")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    scores = [i / 100 for i in range(1, 20)]
    artifacts.save(tmp_path, make_artifact(scores=scores, version=version_number(1)))
    return tmp_path


def call(models: Path, stdout: int, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*THRESHOLD, "--models", models],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "C"],
)
def test_what_an_encoding_lacks_is_replaced(models: Path, environment: dict[str, str]) -> None:
    done = call(models, subprocess.PIPE, **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"threshold 0.1000 ? 0.1500" in done.stdout


def test_a_reader_that_had_enough_is_no_fault(models: Path) -> None:
    """`| head` and `| true`: the pipe is closed before a word is written."""
    reader, writer = os.pipe()
    os.close(reader)
    done = call(models, writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert artifacts.load(models, "can").manifest.threshold.value == pytest.approx(0.15)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that only Linux has")
def test_a_full_disk_behind_the_output_is_told_once(models: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = call(models, full.fileno())
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "error: the output was not written: No space left on device; the work itself is done"
    ]
    assert artifacts.load(models, "can").manifest.threshold.value == pytest.approx(0.15)

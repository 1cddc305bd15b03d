"""The application as a server makes it, and what a start that fails says.

Importing it takes seconds: one process does so once, and each case runs in a copy of that process,
as fresh as one of its own but for what is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI

from app import main
from tests.support import ROOT

# Reads JSON, code with its environment and where its output goes; answers with its status.
COPIES = """
import json, os, sys
import app.main, uvicorn
for line in sys.stdin:
    code, settings, stdout, stderr = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, path in ((1, stdout), (2, stderr)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.environ |= settings
        status = 1
        try:
            exec(code, {})
            status = 0
        except SystemExit as end:
            status = end.code or 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    returncode: int
    stdout: str
    stderr: str


Python = Callable[..., Done]


@pytest.fixture(scope="module")
def copies() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", COPIES],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.communicate(timeout=60)


@pytest.fixture
def python(copies: subprocess.Popen[str], tmp_path: Path) -> Python:
    def run(code: str, **settings: str) -> Done:
        assert copies.stdin
        assert copies.stdout
        environment = {f"GOODSGUARD_{name}": value for name, value in settings.items()}
        stdout, stderr = tmp_path / "stdout", tmp_path / "stderr"
        asked = [code, environment, str(stdout), str(stderr)]
        copies.stdin.write(json.dumps(asked) + "\n")
        copies.stdin.flush()
        status = int(copies.stdout.readline())
        return Done(status, stdout.read_text(), stderr.read_text())

    return run


def test_importing_it_makes_nothing() -> None:
    """Not even the settings, which are wrong here."""
    done = subprocess.run(
        [sys.executable, "-c", "import app.main"],
        cwd=ROOT,
        env=os.environ | {"GOODSGUARD_MAX_BYTES": "none"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_asking_for_it_reads_the_settings(python: Python) -> None:
    done = python("from app.main import app", MAX_BYTES="none")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: GOODSGUARD_MAX_BYTES is 'none': must be a number of bytes"
    )


def test_the_application_is_still_found_by_its_old_name(python: Python) -> None:
    done = python(
        "import app.main as m\n"
        "from fastapi import FastAPI\n"
        "assert isinstance(m.app, FastAPI) and m.app is m.app\n"
        "assert m.create_app() is not m.app\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("_logs_restored")
def test_each_call_makes_an_application_of_its_own() -> None:
    first, second = main.create_app(), main.create_app()
    assert isinstance(first, FastAPI)
    assert first is not second


def test_nothing_else_is_made_up() -> None:
    with pytest.raises(AttributeError, match="no attribute 'application'"):
        _ = main.application


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("MAX_BYTES", "lots", "error: GOODSGUARD_MAX_BYTES is 'lots': must be a number of bytes"),
        ("DEVICE", "gpu", "error: GOODSGUARD_DEVICE is 'gpu': must be auto, cpu, cuda or cuda:N"),
        ("MODEL_DIR", "", "error: GOODSGUARD_MODEL_DIR is no setting; GOODSGUARD_MODELS_DIR is"),
        ("TRUSTED_KEYS", "/nowhere", "error: GOODSGUARD_TRUSTED_KEYS: the key /nowhere cannot be"),
        ("API_KEYS_FILE", "/nowhere", "error: GOODSGUARD_API_KEYS or GOODSGUARD_API_KEYS_FILE: "),
    ],
)
def test_a_start_that_fails_says_why_in_one_line(
    python: Python, name: str, value: str, line: str
) -> None:
    """As uvicorn calls it: in its loop, with no settings."""
    done = python(
        "import uvicorn; uvicorn.run('app.main:create_app', factory=True, port=0)", **{name: value}
    )
    assert done.returncode == 2
    (last,) = [text for text in done.stderr.splitlines() if not text.startswith("{")]
    assert last.startswith(line)


def test_an_api_key_is_not_shown_with_what_is_wrong_of_it(python: Python) -> None:
    done = python("from app.main import app", API_KEYS="camera:score:sha256:s3cret")
    assert done.returncode == 2
    assert "GOODSGUARD_API_KEYS" in done.stderr
    assert "s3cret" not in done.stderr

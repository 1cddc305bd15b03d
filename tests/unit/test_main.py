from __future__ import annotations

import os
import subprocess
import sys

import pytest
from fastapi import FastAPI

from app import main
from tests.support import ROOT


def python(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {f"GOODSGUARD_{name}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_importing_it_makes_nothing() -> None:
    """Not even the settings, which are wrong here."""
    done = python("import app.main", MAX_BYTES="none")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = python("from app.main import app", MAX_BYTES="none")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: GOODSGUARD_MAX_BYTES is 'none': must be a number of bytes"
    )


def test_the_application_is_still_found_by_its_old_name() -> None:
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
def test_a_start_that_fails_says_why_in_one_line(name: str, value: str, line: str) -> None:
    """As uvicorn calls it: in its loop, with no settings."""
    done = python(
        "import uvicorn; uvicorn.run('app.main:create_app', factory=True, port=0)", **{name: value}
    )
    assert done.returncode == 2
    (last,) = [text for text in done.stderr.splitlines() if not text.startswith("{")]
    assert last.startswith(line)


def test_an_api_key_is_not_shown_with_what_is_wrong_of_it() -> None:
    done = python("from app.main import app", API_KEYS="camera:score:sha256:s3cret")
    assert done.returncode == 2
    assert "GOODSGUARD_API_KEYS" in done.stderr
    assert "s3cret" not in done.stderr

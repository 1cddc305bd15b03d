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
    assert done.returncode == 1
    assert "max_bytes" in done.stderr


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

"""What `make` says of itself, and the Python that it takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

FIND = ROOT / "scripts" / "find_python.sh"


def fake_python(folder: Path, name: str, *, fits: bool) -> Path:
    """A Python that says only whether its version is one from 3.11."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {0 if fits else 1}\n")
    path.chmod(0o755)
    return path


def find(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", FIND], env={"PATH": str(path)}, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_bare_make_lists_each_target_with_its_meaning() -> None:
    done = subprocess.run(
        ["make"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    )
    listed = dict(re.findall(r"^make (\S+) {2,}(\S.*)$", done.stdout, re.MULTILINE))
    assert len(listed) == len(done.stdout.splitlines())
    (named,) = re.findall(r"^\.PHONY: (help .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert list(listed) == [name for name in named.split() if name in listed]
    assert set(named.split()) == set(listed)


def test_the_first_python_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", fits=False)
    wanted = fake_python(tmp_path, "python3.13", fits=True)
    assert find(tmp_path).stdout == f"{wanted}\n"
    newest = fake_python(tmp_path, "python3", fits=True)
    assert find(tmp_path).stdout == f"{newest}\n"


def test_where_there_is_none_it_is_said(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", fits=False)
    done = find(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("no Python from 3.11 was found; install one, or name it")

"""What Windows and macOS lack is not needed: the tests of locks and of the start pass without it.

Each program below runs where `fcntl` and its likes cannot be imported and the functions that only
Linux has are gone, as they are there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, make_artifact

ELSEWHERE = """
import os, signal, socket, ssl, sys, tempfile, threading, warnings
import asyncio, multiprocessing, subprocess, concurrent.futures.process
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("sched_getaffinity", "chown"):
    if hasattr(os, name):
        delattr(os, name)
del signal.SIGHUP
warnings.filterwarnings("ignore", "only soft file lock")
"""


def python(program: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE + program, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


TESTS = (
    "tests/unit/core/store/test_version_folders.py",
    "tests/unit/core/store/test_clearing.py",
    "tests/unit/access/test_keys_file.py",
    "tests/integration/test_health.py",
)


@pytest.mark.slow
def test_locks_and_the_start_need_nothing_that_only_linux_has() -> None:
    options = ("-p", "no:cacheprovider", "-k", "not flipped_bit")  # which takes no lock
    program = "import pytest\nsys.exit(pytest.main(sys.argv[1:]))"
    assert " passed" in python(program, *options, *TESTS)


def test_two_processes_there_take_turns(tmp_path: Path) -> None:
    """The lock that is left without the kernel's is a real one."""
    program = (
        "from pathlib import Path\n"
        "from app.access.keys import ApiKey, hashed\n"
        "from app.access.keys_file import append\n"
        "for i in range(5):\n"
        "    name = f'{sys.argv[2]}{i}'\n"
        "    append(Path(sys.argv[1]), ApiKey(name=name, sha256=hashed(name.encode()),\n"
        "        scopes=frozenset({'score'})))\n"
    )
    file = tmp_path / "keys.toml"
    processes = [
        subprocess.Popen([sys.executable, "-c", ELSEWHERE + program, file, name], cwd=ROOT)
        for name in ("a", "b")
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert file.read_text().count("[keys.") == 10


def test_a_bank_is_stored_and_served_there(tmp_path: Path) -> None:
    """A bank that was made here is loaded there, saved there and loaded here."""
    from app.core.store import artifact as artifacts

    artifacts.save(tmp_path, make_artifact(version="20260101T000001Z-000000"))
    program = (
        "from pathlib import Path\n"
        "from dataclasses import replace\n"
        "from app.core.judging.calibration import Fixed\n"
        "from app.core.store import artifact as artifacts\n"
        "models = Path(sys.argv[1])\n"
        "bank = artifacts.with_threshold(artifacts.load(models, 'can'), Fixed(threshold=0.5))\n"
        "print(artifacts.save(models, bank).bank_version)\n"
    )
    assert artifacts.load(tmp_path, "can").manifest.threshold.value != 0.5
    # The kernel's lock leaves its file behind; without the kernel the file is the lock.
    (tmp_path / "can" / ".lock").unlink()
    version = python(program, tmp_path).strip()
    assert artifacts.load(tmp_path, "can").manifest.bank_version == version
    assert artifacts.load(tmp_path, "can").manifest.threshold.value == 0.5

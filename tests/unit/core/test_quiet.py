from __future__ import annotations

import subprocess
import sys

from tests.support import ROOT


def test_which_libraries_faiss_tries_is_not_logged() -> None:
    """In a process of its own: FAISS speaks once, when it is first imported."""
    program = (
        "import logging; logging.basicConfig(level=logging.INFO)\n"
        "logging.getLogger('other').info('logs are on')\n"
        "import app.core.threads\n"
        "logging.getLogger('faiss.loader').warning('a warning')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stderr.splitlines() == [
        "INFO:other:logs are on",
        "WARNING:faiss.loader:a warning",
    ]

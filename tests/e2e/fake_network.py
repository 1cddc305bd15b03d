"""The service as a process, with a network of predictable numbers that hangs when it is told to.

    uvicorn --factory --app-dir tests/e2e fake_network:create_app

It hangs, for ever, on what it is asked while a file `hang` lies beside the folder of banks, and
makes a file `hanging` there.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from fastapi import FastAPI

_environment = dict(os.environ)  # `tests` takes the settings out of it

from app import main  # noqa: E402
from app.core.features.extractor import FeatureExtractor, FeatureSpec  # noqa: E402
from app.core.features.runtimes import Engine  # noqa: E402
from tests.support import ROOT, ColourRuntime  # noqa: E402

os.environ.update(_environment)

COMMAND = (
    *(sys.executable, "-m", "uvicorn", "--factory", "--app-dir", str(ROOT / "tests" / "e2e")),
    *("fake_network:create_app", "--no-access-log", "--no-server-header"),
)


def hang(models: Path) -> None:
    """Let the network of these banks' service hang from now on."""
    (models.parent / "hang").touch()


def until_hanging(models: Path) -> None:
    """Wait until it does."""
    deadline = time.monotonic() + 60
    while not (models.parent / "hanging").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def create_app() -> FastAPI:
    folder = Path(os.environ["GOODSGUARD_MODELS_DIR"]).parent

    def before() -> None:
        if (folder / "hang").exists():
            (folder / "hanging").touch()
            threading.Event().wait()

    def load_extractor(spec: FeatureSpec, _: Engine) -> FeatureExtractor:
        return FeatureExtractor(spec, ColourRuntime(before, spec))

    return main.create_app(load_extractor=load_extractor, try_again_s=0.1)

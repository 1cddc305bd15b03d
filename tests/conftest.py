from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from app.core.threads import set_threads

# The same examples every time: a test that fails on one machine fails on all.
settings.register_profile("goodsguard", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("goodsguard")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    set_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _no_weights_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Weights in the user's cache decide no test, and no test writes there."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_records() -> Iterator[None]:
    """No test records verdicts unless it says where, not even by a process that it starts."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GOODSGUARD_RECORDS", "off")
        yield


@pytest.fixture
def _logs_restored() -> Iterator[None]:
    """The service configures the process's logs; put them back as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()

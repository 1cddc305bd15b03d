from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.service import Service, serve


@pytest.fixture(autouse=True)
def _restore(_logs_restored: None) -> None:
    """Starting the application configures the process's logs."""


@pytest.fixture(scope="module")
async def service(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    root = tmp_path_factory.mktemp("service")
    async with serve(root, max_bytes=200_000, records="on") as running:
        yield running

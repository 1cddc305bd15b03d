"""Requests made up from the OpenAPI document, and answers held against it (Schemathesis).

The long run of the same is `python -m tests.torture.openapi`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from scripts.export_openapi import TARGET
from tests.integration.service import listening, serve

KEY = "of-this-test"
HOLDER = f"tester:admin:sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The service in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    started: asyncio.Future[int] = asyncio.Future(loop=loop)
    over = asyncio.Event()

    async def run() -> None:
        root = tmp_path_factory.mktemp("schema")
        async with (
            serve(
                root, max_bytes=200_000, api_keys=(HOLDER,), wrong_key_limit=0, records="on"
            ) as running,
            listening(running) as number,
        ):
            started.set_result(number)
            await over.wait()

    async def wait() -> int:
        return await started

    task = asyncio.run_coroutine_threadsafe(run(), loop)
    try:
        yield asyncio.run_coroutine_threadsafe(wait(), loop).result(timeout=30)
    finally:
        loop.call_soon_threadsafe(over.set)
        task.result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()


DOCUMENT = json.loads(TARGET.read_text(encoding="utf-8"))  # a test compares it with the service
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


# A photo is any bytes to the document, and most bytes are no photo; headers that nobody knows are
# no fault.
NOT_PROMISED: list[schemathesis.CheckFunction] = [positive_data_acceptance, negative_data_rejection]


@SCHEMA.parametrize()
@settings(max_examples=5, suppress_health_check=list(HealthCheck))
def test_answers_are_as_documented(case: schemathesis.Case[Any], port: int) -> None:
    case.call_and_validate(
        base_url=f"http://127.0.0.1:{port}",
        # A client that gives the service no time gets the 504 it asked for.
        headers={"X-API-Key": KEY, "X-Request-Timeout": "10"},
        excluded_checks=NOT_PROMISED,
        timeout=10,
    )

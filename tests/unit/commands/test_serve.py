"""How the service is started; that it answers and drains is in tests/e2e."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.commands import serve
from tests.support import ROOT


def call(*arguments: str, **environment: str) -> Result:
    program = typer.Typer()
    program.command()(serve.main)
    return CliRunner().invoke(program, list(arguments), env=environment)


def test_a_setting_that_is_wrong_is_named_with_its_value_and_what_is_allowed() -> None:
    result = call(GOODSGUARD_QUEUE_SIZE="many", GOODSGUARD_TRUSTED_KEY="")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: GOODSGUARD_TRUSTED_KEY is no setting; GOODSGUARD_TRUSTED_KEYS is the nearest: "
        "correct its name, or unset it",
        "error: GOODSGUARD_QUEUE_SIZE is 'many': must be a whole number, at least 1, at most 10000",
    ]


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_cannot_be_is_a_usage_error(port: str) -> None:
    assert call("--port", port).exit_code == 2
    assert call(UVICORN_PORT=port).exit_code == 2


@pytest.mark.usefixtures("_logs_restored")
def test_a_port_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    """As the environment names it, and the address too."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = call(
            UVICORN_HOST="127.0.0.1",
            UVICORN_PORT=str(port),
            GOODSGUARD_MODELS_DIR=str(tmp_path),
            GOODSGUARD_REPORTS_DIR=str(tmp_path),
            GOODSGUARD_THREADS="1",  # as all tests have it
        )
    assert result.exit_code == 3  # as uvicorn has it for a start that failed
    assert f"('127.0.0.1', {port}): address already in use" in result.stderr


def test_requests_under_way_get_as_long_as_in_the_image() -> None:
    command = (ROOT / "Dockerfile").read_text().splitlines()[-1]
    patience = re.search(r'"--timeout-graceful-shutdown", "(\d+)"', command)
    assert patience
    assert "default: " + patience[1] in call("--help").stdout.replace("\n", " ")

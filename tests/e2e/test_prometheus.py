"""A real Prometheus with our files reads the real service, and answers every query of ours."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Elpv
from tests.e2e.process import Server
from tests.e2e.test_proxy import free_port
from tests.promql import ALERTS, expressions, rules

PROMETHEUS = shutil.which("prometheus")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian has it)"),
]

# Grafana's own variables, as it fills them in.
FILLED_IN = {"$__rate_interval": "1m", "$instance": ".*", "$category": ".*"}
# Nothing is reloaded here.
QUIET = {"annotation Reloads"}


@pytest.fixture(scope="module")
def prometheus(
    server: Server, elpv: Elpv, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("prometheus")
    address = f"127.0.0.1:{server.client.base_url.port}"
    text = ALERTS.with_name("prometheus.yml").read_text(encoding="utf-8")
    text = text.replace("goodsguard:8000", address).replace("15s", "1s").replace("30s", "1s")
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(ALERTS, folder)
    port = free_port()
    assert PROMETHEUS
    process = start(folder, port)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            deadline = time.monotonic() + 120
            while readings(client) < 8:  # with traffic between them
                assert time.monotonic() < deadline
                for photo in (elpv.photos()["good"][0], b"no image"):
                    server.client.post("/score/elpv_mono", files={"file": photo})
                time.sleep(0.5)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    assert PROMETHEUS
    return subprocess.Popen(
        [
            PROMETHEUS,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )


def readings(prometheus: httpx.Client) -> float:
    """How often it has read the service."""
    with suppress(httpx.TransportError, ValueError):  # it is being started
        for found in ask(prometheus, 'sum_over_time(up{job="goodsguard"}[10m])'):
            return float(found["value"][1])
    return 0.0


def ask(prometheus: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = prometheus.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", answer
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def test_the_service_is_read(prometheus: httpx.Client) -> None:
    (found,) = ask(prometheus, 'up{job="goodsguard"}')
    assert found["value"][1] == "1"


@pytest.mark.parametrize("place", list(expressions()))
def test_a_query_has_an_answer(prometheus: httpx.Client, place: str) -> None:
    expression = expressions()[place]
    for variable, value in FILLED_IN.items():
        expression = expression.replace(variable, value)
    found = ask(prometheus, expression)
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert found or place in alerts | QUIET, expression


def test_the_damaged_category_is_alerted(prometheus: httpx.Client) -> None:
    (found,) = ask(prometheus, 'ALERTS{alertname="GoodsGuardCategoryDown"}')
    assert found["metric"]["category"] == "torn"


def test_an_ordinary_minute_alerts_of_nothing_else(prometheus: httpx.Client) -> None:
    firing = ask(prometheus, 'ALERTS{alertstate="firing"}')
    assert firing == []

"""What the log says of requests and reloads, and that docs/operations.md says the same."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from app.core.store import artifact as artifacts
from app.core.store.manifest import VERSION_PATTERN
from tests.integration.service import DEFECTIVE, GOOD, Json, Service, serve
from tests.integration.test_queue import until_depth
from tests.integration.test_readiness import STAGES
from tests.support import ROOT, make_artifact, version_number

pytestmark = pytest.mark.anyio

KEY = "a-key-of-the-tills-that-is-long-enough"
KEYS = ("till-1:admin:sha256:" + hashlib.sha256(KEY.encode()).hexdigest(),)
GUIDE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def documented(section: str) -> set[str]:
    """The names in the first column of the section's first table."""
    text = GUIDE.split(f"\n## {section}\n")[1]
    table = text[text.index("\n|") :].strip().split("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.M)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


class Log(io.StringIO):
    """Stands in for standard error."""

    def lines(self) -> list[Json]:
        """What was logged since the last call."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        found = [json.loads(line) for line in text.splitlines()]
        # The client lives in this process, too, and says what it sends.
        return [line for line in found if not line["event"].startswith("HTTP Request")]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(sys, "stderr", log)
    return log


@pytest.fixture
async def service(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory, log: Log
) -> AsyncIterator[Service]:
    root = tmp_path_factory.mktemp("logs")
    cameras = root / "cameras.toml"
    cameras.write_text("[cameras.till]\n", encoding="utf-8")
    options: Json = {"api_keys": KEYS, "queue_size": 1, "watch_s": 0, "cameras": cameras}
    async with serve(root, log_level="info", **options) as running:
        running.client.headers["X-API-Key"] = KEY
        log.lines()
        yield running


def of_requests(found: list[Json]) -> list[Json]:
    return [line for line in found if line["event"] == "request"]


async def test_a_scored_photo_has_one_line_with_all_that_is_known(
    service: Service, log: Log
) -> None:
    service.client.headers["X-Request-ID"] = "look-for-me"
    answer = (await service.score(DEFECTIVE)).json()
    (line,) = log.lines()
    assert line["event"] == "request"
    assert (line["request_id"], line["key"]) == ("look-for-me", "till-1")
    assert (line["method"], line["path"], line["status"]) == ("POST", "/score/can", 200)
    assert (line["category"], line["verdict"], line["problem"]) == ("can", "anomalous", None)
    assert line["bank_version"] == answer["bank_version"]
    assert line["score"] == pytest.approx(answer["score"], abs=1e-4)
    assert line["timings_ms"] == answer["timings_ms"]
    assert line["ms"] >= line["timings_ms"]["total"]
    assert line["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["timestamp"])


async def test_the_guide_names_the_fields_of_a_requests_line(service: Service, log: Log) -> None:
    await service.score(GOOD, camera="till")
    await service.batch(GOOD)
    seen = {field for line in of_requests(log.lines()) for field in line}
    assert documented("Logs") == seen


async def test_no_line_holds_a_key(service: Service, log: Log) -> None:
    await service.score(GOOD)
    await service.client.get("/categories", headers={"X-API-Key": "wrong-" + KEY})
    assert KEY not in log.getvalue()


async def test_a_photo_that_cannot_be_judged_has_its_category_and_problem(
    service: Service, log: Log
) -> None:
    await service.score(b"no image")
    (line,) = log.lines()
    assert (line["status"], line["category"]) == (422, "can")
    assert (line["problem"], line["level"]) == ("not-an-image", "info")


async def test_a_batch_and_several_categories_have_all_verdicts(service: Service, log: Log) -> None:
    await service.batch(GOOD, DEFECTIVE, b"no image")
    await service.client.post("/score", params={"category": ["can", "torn"]}, files={"file": GOOD})
    batch, several = log.lines()
    assert batch["category"] == "can"
    assert batch["verdicts"] == ["normal", "anomalous", "unusable"]
    version = batch["bank_version"]
    assert re.fullmatch(VERSION_PATTERN, version)
    assert [set(timings) for timings in batch["timings_ms"]] == [STAGES | {"total"}] * 2
    assert several["category"] == ["can", "torn"]
    assert several["verdicts"] == {"can": "normal", "torn": "unusable"}
    assert several["bank_version"] == {"can": version}
    assert set(several["timings_ms"]) == {"can"}


async def test_a_photo_refused_by_the_queue_is_a_warning(service: Service, log: Log) -> None:
    release = threading.Event()
    service.network.before = lambda: release.wait(20)
    held = asyncio.create_task(service.score(GOOD))
    try:
        await until_depth(service, 1)
        assert (await service.score(GOOD)).status_code == 429
    finally:
        release.set()
        await held
    (line,) = [line for line in log.lines() if line.get("status") == 429]
    assert (line["problem"], line["category"], line["level"]) == ("overloaded", "can", "warning")


async def test_a_path_that_is_not_there_has_a_problem(service: Service, log: Log) -> None:
    await service.client.get("/nowhere")
    (line,) = log.lines()
    assert (line["status"], line["problem"]) == (404, "not-found")


async def test_a_server_error_is_a_warning_beside_its_reason(service: Service, log: Log) -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    service.network.before = fail
    answer = await service.score(GOOD)
    found: list[Json] = []
    while len(found) < 2:  # the network's thread tells the reason in its own time
        found += log.lines()
        await asyncio.sleep(0.01)
    reason, line = sorted(found, key=lambda each: each["event"] == "request")
    assert (line["status"], line["problem"], line["level"]) == (503, "network-failed", "warning")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (reason["event"], reason["level"]) == ("the network failed", "error")
    assert "out of memory" in reason["exception"]


async def test_reloads_and_rollbacks_say_what_serves_and_what_did(
    service: Service, log: Log
) -> None:
    before = artifacts.current_version(service.models / "can")
    newer = version_number(1).replace("2026", "2999")
    artifacts.save(service.models, make_artifact("can", version=newer))
    await service.client.post("/admin/reload")
    await service.client.post("/admin/categories/can/rollback")
    said = [
        {k: line[k] for k in ("bank_version", "before")}
        for line in log.lines()
        if line["event"] == "reloaded" and line["category"] == "can"
    ]
    assert said == [
        {"bank_version": newer, "before": before},
        {"bank_version": before, "before": newer},
    ]


async def test_a_reload_that_fails_is_an_error_with_its_reason(service: Service, log: Log) -> None:
    (service.models / "can" / artifacts.CURRENT).write_text(version_number(7))
    answer = await service.client.post("/admin/reload")
    found = [line for line in log.lines() if line["event"] == "reload failed"]
    (line,) = [line for line in found if line["category"] == "can"]
    assert line["level"] == "error"
    assert version_number(7) in line["reason"]
    assert line["serving"]
    assert line["request_id"] == answer.headers["x-request-id"]

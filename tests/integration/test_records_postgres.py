"""The same on PostgreSQL: a verdict's way from its score over a review to its deletion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.integration.service import DEFECTIVE, GOOD, Service, assert_problem, serve
from tests.unit.records.conftest import postgres_port, postgres_url

__all__ = ["postgres_port", "postgres_url"]

pytestmark = pytest.mark.anyio


async def recorded(service: Service, photo: bytes) -> str:
    identity: str = (await service.score(photo)).json()["id"]
    assert service.app.state.services.records.flush(30)
    return identity


async def test_a_verdicts_way(tmp_path: Path, postgres_url: str) -> None:
    async with serve(
        tmp_path, records="on", records_photos="all", database_url=postgres_url
    ) as service:
        identity = await recorded(service, DEFECTIVE)
        await recorded(service, GOOD)
        path = f"/verdicts/{identity}"
        review = {"decision": "defective", "defect": "dent", "note": "'; DROP TABLE verdicts; --"}
        answer = await service.client.put(f"{path}/review", json=review)
        assert answer.status_code == 200, answer.text
        shown = (await service.client.get(path)).json()
        assert shown["review"] == answer.json()
        assert (await service.client.get(f"{path}/photo")).content == DEFECTIVE
        assert (await service.client.get(f"{path}/thumbnail")).status_code == 200
        items = (await service.client.get("/verdicts?verdict=anomalous")).json()["items"]
        assert items == [shown]
        assert identity in (await service.client.get("/verdicts.csv")).text
        now = datetime.now(UTC)
        span = {"since": (now - timedelta(hours=1)).isoformat(), "until": now.isoformat()}
        deleted = (await service.client.delete("/verdicts", params=span)).json()
        assert (deleted["verdicts"], deleted["reviews"], deleted["photos"]) == (2, 1, 2)
        assert_problem(await service.client.get(path), 404, "unknown-verdict")


@pytest.mark.parametrize(
    "path", ["/verdicts?category=a%00b", "/verdicts.csv?camera=%00", "/defect-types?prefix=%00"]
)
async def test_what_the_database_does_not_take_is_422_and_tells_nothing_of_it(
    tmp_path: Path, postgres_url: str, path: str
) -> None:
    async with serve(tmp_path, records="on", database_url=postgres_url) as service:
        body = assert_problem(await service.client.get(path), 422, "record-refused")
        assert "postgres" not in body["detail"]


async def test_a_wrong_password_is_told_to_nobody(tmp_path: Path, postgres_url: str) -> None:
    start, _, rest = postgres_url.partition("postgres:")
    password, _, where = rest.partition("@")
    url = f"{start}postgres:wrong-{password}@{where}"
    async with serve(tmp_path, records="on", database_url=url) as service:
        ready = await service.client.get("/readyz")
        assert ready.json()["records"]["status"] == "unavailable"
        for secret in (password, unquote(password), "wrong-"):
            assert secret not in ready.text
        assert (await service.score(GOOD)).json()["id"] is None

"""Records of real processes: several workers into one folder, and their end."""

from __future__ import annotations

import signal
from pathlib import Path
from uuid import UUID

import pytest

from app.records.opening import open_records
from app.records.reading import page
from tests.e2e import fake_network
from tests.e2e.process import Server, running
from tests.integration.service import DEFECTIVE, GOOD, store_banks

PHOTOS = 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store_banks(tmp_path / "models")
    return tmp_path


def scored(server: Server) -> set[UUID]:
    photos = (GOOD, DEFECTIVE) * (PHOTOS // 2)
    return {UUID(server.score(photo, "can")["id"]) for photo in photos}


@pytest.mark.e2e
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_was_answered_is_recorded_when_the_service_has_ended(root: Path, workers: int) -> None:
    with running(
        root / "log",
        command=(*fake_network.COMMAND, "--workers", str(workers)),
        models_dir=root / "models",
        reports_dir=root,
        records="on",
        records_dir=root / "records",
        records_photos="all",
        device="cpu",
        threads="1",
        drain_s="0",
    ) as server:
        answered = scored(server)
        ended = server.stop()
    assert ended in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
    with open_records(root / "records") as records:
        found = page(records, size=1000).verdicts
        assert {verdict.id for verdict in found} == answered
        assert all(verdict.photo_kept for verdict in found)
        assert len(list(records.photos.all())) == 2
    assert "hang" not in (root / "log").read_text()

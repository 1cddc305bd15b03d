"""The page Health: what is said of a service that is well, and of one that is not."""

from __future__ import annotations

import html as html_module
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.errors import Overloaded
from app.core.store import artifact as artifacts
from app.web import health as health_module
from tests.integration.service import DEFECTIVE, GOOD, Service, serve
from tests.support import make_artifact

pytestmark = pytest.mark.anyio


def store_good_banks(root: Path) -> None:
    for name in ("can", "box"):
        artifacts.save(root / "models", make_artifact(name))


@pytest.fixture
async def well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """Nothing is wrong; whatever this machine's disk holds, there is room."""
    monkeypatch.setattr(health_module, "_usage", lambda _: (50 << 30, 100 << 30))
    store_good_banks(tmp_path)
    async with serve(tmp_path, records="on", records_photos="all") as service:
        yield service


async def shown(service: Service, page: str = "health") -> str:
    """The page, as its reader reads it."""
    assert service.app.state.services.records.flush(30)
    service.app.state.health_memo = None  # as of now, not of some seconds ago
    answer = await service.client.get(f"/page/{page}")
    assert answer.status_code == 200, answer.text
    text = html_module.unescape(answer.text)
    assert str(service.models.parent) not in text
    return text


async def test_all_is_well(well: Service) -> None:
    await well.score(GOOD)
    text = await shown(well)
    assert "all well" in text
    assert "Photos are scored and recorded. Nothing needs a look." in text
    assert "0 of 32 photos" in text
    assert "1 since the start" in text
    assert "1 photo in 7 days: too few to compare, 50 needed." in text
    assert "50 GiB free of 100 GiB" in text
    detector = well.app.state.services.registry.detectors["can"]
    assert detector.manifest.bank_version in text
    assert detector.engine in text
    assert '<div class="notice' not in text


async def test_the_part_is_the_page_without_its_frame(well: Service) -> None:
    part = await shown(well, "health/facts")
    assert part.lstrip().startswith('<div id="facts">')
    assert "<nav" not in part


async def test_a_torn_bank_is_told_with_what_to_do(tmp_path: Path) -> None:
    async with serve(tmp_path, records="on") as service:
        text = await shown(service)
        assert "look here" in text
        assert "torn cannot be scored: " in text
        assert "POST /" not in text
        assert 'href="category?name=torn"' in text
        assert "Load the banks again" in text
        assert "The banks were loaded again" in await shown(service, "health?done=reload")


async def test_a_new_bank_that_was_not_taken_up_is_told(well: Service) -> None:
    artifacts.save(well.models, make_artifact("can"))
    version = artifacts.current_version(well.models / "can")
    (well.models / "can" / version / artifacts.BANK).write_bytes(b"torn")
    await well.client.post("/admin/reload")
    text = await shown(well)
    assert "older bank serves" in text
    assert "The newest bank of can was not taken up: " in text


async def test_no_bank_at_all_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    async with serve(tmp_path, records="on") as service:
        text = await shown(service)
        assert "not ready" in text
        assert "No photo can be scored: no category can be scored" in text
        assert "goodsguard build" in text


async def test_records_that_are_off_are_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_usage", lambda _: (50 << 30, 100 << 30))
    store_good_banks(tmp_path)
    async with serve(tmp_path, records="off") as service:
        text = await shown(service)
        assert (
            "Photos are scored; none are recorded, by the settings. Nothing needs a look." in text
        )
        assert "all well" in text
        assert "The records cannot be asked how photos score" not in text


async def test_records_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file where the folder should be")
    async with serve(tmp_path, records="on") as service:
        await service.score(GOOD)
        text = await shown(service)
        assert "Photos are scored, but not recorded" in text
        assert "Verdicts are not recorded: " in text
        assert "1 verdict was lost since the start: 1 since the records could not be opened" in text


async def test_photos_that_are_lost_are_told(well: Service, tmp_path: Path) -> None:
    await well.score(GOOD)
    await shown(well)
    shutil.rmtree(tmp_path / "records" / "photos")
    (tmp_path / "records" / "photos").write_text("no folder any more")
    await well.score(DEFECTIVE)
    text = await shown(well)
    assert "1 photo could not be kept: 1 since the photos' folder could not be written" in text


async def test_a_full_disk_and_one_that_does_not_answer_are_told(
    well: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_usage", lambda _: (9 << 30, 100 << 30))
    assert "Only 9 GiB (9\N{NO-BREAK SPACE}%) of the disk of the banks are free." in await shown(
        well
    )

    def gone(_: Path) -> tuple[int, int]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(health_module, "_usage", gone)
    assert "The disk of the records does not answer." in await shown(well)


async def test_refused_requests_are_told(well: Service) -> None:
    inspector = well.app.state.services.inspector
    with inspector.admit_parts([]), pytest.raises(Overloaded):
        inspector.check(inspector.queue_size)
    text = await shown(well)
    assert "1 request was refused in the last 10 minutes, since the queue was full." in text


async def test_cameras_are_told_by_when_they_were_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "_usage", lambda _: (50 << 30, 100 << 30))
    store_good_banks(tmp_path)
    file = tmp_path / "cameras.toml"
    file.write_text("[cameras.till]\n[cameras.belt]\n[cameras.bent]\ncrop = [1, 1, 0, 0]\n")
    async with serve(tmp_path, records="on", cameras=file) as service:
        await service.score(GOOD, camera="till")
        text = await shown(service)
        rows = {row.split("</th>")[0]: row for row in text.split('<th scope="row">')[1:]}
        assert set(rows) == {"till", "belt", "bent"}
        assert "seen" in rows["till"]
        assert "nothing yet" in rows["belt"]
        assert "wrong entry" in rows["bent"]
        assert "The camera bent is not set up rightly: " in text


@pytest.mark.parametrize(("photo", "moved"), [(GOOD, "not"), (DEFECTIVE, "up")])
async def test_the_scores_of_the_last_days_are_compared(
    well: Service, photo: bytes, moved: str
) -> None:
    for _ in range(4):
        answer = await well.batch(*[photo] * 13)
        assert answer.status_code == 200
    text = await shown(well)
    assert '<svg class="drift"' in text
    if moved == "up":
        assert "moved up" in text
        assert (
            "The scores have moved up: 100\N{NO-BREAK SPACE}% of 52 photos score above what "
            "10\N{NO-BREAK SPACE}%" in text
        )
        assert "build a bank with good photos of today" in text
    else:
        assert "52 photos" in text

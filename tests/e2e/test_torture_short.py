"""The runs of `make torture`, seconds long each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.errors import ArtifactError
from app.core.store import artifact as artifacts
from app.core.store import signing
from app.core.store.signing_keys import TrustedKeys, generate_key, key_id
from tests.e2e.process import Server
from tests.torture import banks, drain, flips, kills, overload, reloads, soak
from tests.torture.kills import Builder
from tests.torture.service import serving

PHOTOS = 12


@dataclass(frozen=True)
class Bed:
    """One service for all runs, and what they need of it."""

    folder: Path
    server: Server
    builder: Builder
    versions: tuple[str, str]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    folder = tmp_path_factory.mktemp("torture")
    builder = kills.prepare(folder, PHOTOS)
    models, versions = reloads.store_two(folder, PHOTOS)
    soak.store_banks(folder, PHOTOS)
    with serving(folder, models, drain_s=drain.DRAIN_S) as server:
        yield Bed(folder, server, builder, versions)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> flips.Bench:
    models = tmp_path_factory.mktemp("signed")
    bank = banks.make_bank(models / ".data", flips.CATEGORY, photos=PHOTOS)
    version, private = banks.store_bank(models, bank), generate_key()
    signing.sign(models / flips.CATEGORY / version, private)
    trusted = TrustedKeys({key_id(private.public_key()): private.public_key()})
    return flips.Bench(models, bank, trusted)


@pytest.mark.slow
def test_damage_to_a_signed_bank_is_refused_or_changes_nothing(signed: flips.Bench) -> None:
    tallies = flips.damage_all(signed, 5, (0x01, 0x80), random.Random(3), every=37)
    assert set(tallies) == {artifacts.MANIFEST, artifacts.BANK, signing.SIGNATURE, "current"}
    for file, tally in tallies.items():
        assert set(tally.outcomes) <= {"refused", "harmless"}, (file, tally.examples)


def test_a_threshold_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    bank = banks.make_bank(tmp_path / "data", flips.CATEGORY, photos=PHOTOS)
    banks.store_bank(tmp_path / "models", bank)
    manifest = next((tmp_path / "models").rglob(artifacts.MANIFEST))
    text = manifest.read_text()
    digit = text.index('"value"', text.index('"threshold"')) + len('"value": ')
    manifest.write_bytes(flips.flipped(text.encode(), digit, 0x01))
    with pytest.raises(ArtifactError):
        artifacts.load(tmp_path / "models", flips.CATEGORY)


@pytest.mark.slow
def test_killed_builds_leave_what_served_before(bed: Bed) -> None:
    kills.warm_up(bed.folder / "build.log")
    report = kills.kill_beside(bed.server, bed.builder, 2, at_once=False, times=(3.0, 0.02))
    assert report.failures == []


@pytest.mark.slow
def test_banks_exchanged_under_load_are_never_mixed(bed: Bed) -> None:
    board = reloads.Switchboard(bed.server, bed.builder.models, bed.versions, bed.versions[1])
    report = reloads.exchange_under_load(bed.folder, board, 12)
    assert report.failures == []
    assert report.figures["reloads"] >= 12


@pytest.mark.slow
def test_overload_is_refused_and_what_is_accepted_is_answered(bed: Bed) -> None:
    """The bounds on time are for a quiet machine: `make torture` holds them."""
    photo = banks.photo(1000, size=(640, 480))
    report = overload.overload(bed.folder, bed.server, 2, photo)
    statuses = report.figures["statuses"]
    assert set(statuses) <= {"200", "429"}
    assert statuses["200"] > 0
    assert "None" not in report.figures["retry_after"]


@pytest.mark.slow
def test_mixed_photos_get_the_answers_they_must(bed: Bed) -> None:
    report = soak.soak(bed.folder, bed.server, 2, quiet_s=0)
    assert report.figures["requests"] > 0
    assert set(report.figures["unexpected"]) <= {f"{kind}: 429" for kind in soak.kinds()}


@pytest.mark.slow
def test_a_stop_under_load_loses_nothing(bed: Bed) -> None:
    """The last test: it stops the service."""
    stop = drain.stop(bed.folder, bed.server, load_s=0.7)
    assert (stop.lost, stop.cut) == (0, 0)
    assert stop.answered > 0
    assert stop.status in (0, -15)
    assert stop.not_ready_s is not None
    assert stop.closed_s is not None
    assert stop.not_ready_s < stop.closed_s

"""Bank versions that judged photos earlier: loaded, checked, shared, let go."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import (
    ArtifactError,
    CategoryUnavailable,
    NoSuchVersion,
    SignatureError,
    WeightsNotFound,
)
from app.core.features.extractor import Extractor, FeatureSpec
from app.core.features.runtimes import Engine
from app.core.store import artifact as artifacts
from app.core.store.signing_keys import TrustedKeys, generate_key, key_id
from app.service import older
from app.service.networks import SharedNetworks
from app.service.older import OlderBanks
from app.service.registry import BankSource
from tests.support import colour_extractor, encode, make_artifact, plain, version_number

pytestmark = pytest.mark.anyio

VERSIONS = [version_number(number) for number in range(1, 5)]


class Loader:
    """Counts how often a network is loaded; some fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    def __call__(self, spec: FeatureSpec, engine: Engine) -> Extractor:
        self.calls += 1
        if self.error:
            raise self.error
        return colour_extractor(spec)


@pytest.fixture
def load() -> Loader:
    return Loader()


@pytest.fixture
def source(tmp_path: Path, load: Loader) -> BankSource:
    """Four versions of `can`, the last of which serves."""
    for version in VERSIONS:
        artifacts.save(tmp_path, make_artifact(version=version))
    return BankSource(tmp_path, SharedNetworks(load))


@pytest.fixture
def banks(source: BankSource) -> Iterator[OlderBanks]:
    banks = OlderBanks(source)
    yield banks
    assert banks.close(float("inf")) == []


async def test_an_older_version_judges_on_the_network_of_the_one_that_serves(
    source: BankSource, load: Loader, banks: OlderBanks
) -> None:
    serving = source.detector("can")
    found = await banks.detector("can", VERSIONS[0])
    assert found.manifest.bank_version == VERSIONS[0]
    assert found.extractor.runtime is serving.extractor.runtime
    assert load.calls == 1
    assert found.inspect(encode(plain(120))).verdict == "normal"


async def test_it_is_loaded_once_and_two_are_kept(banks: OlderBanks) -> None:
    first, second = [await banks.detector("can", version) for version in VERSIONS[:2]]
    assert await banks.detector("can", VERSIONS[0]) is first
    await banks.detector("can", VERSIONS[2])  # the second was asked for longest ago
    assert await banks.detector("can", VERSIONS[0]) is first
    assert await banks.detector("can", VERSIONS[1]) is not second


async def test_its_own_network_is_kept_as_long_as_it_is(load: Loader, banks: OlderBanks) -> None:
    """Nothing that serves uses it."""
    first, second = [await banks.detector("can", version) for version in VERSIONS[:2]]
    assert first.extractor.runtime is second.extractor.runtime
    assert load.calls == 1


async def test_what_is_cleared_away_is_gone(tmp_path: Path, banks: OlderBanks) -> None:
    await banks.detector("can", VERSIONS[0])
    shutil.rmtree(tmp_path / "can" / VERSIONS[0])
    with pytest.raises(NoSuchVersion, match=r"any more"):
        await banks.detector("can", VERSIONS[0])
    shutil.rmtree(tmp_path / "can")
    with pytest.raises(NoSuchVersion):
        await banks.detector("can", VERSIONS[1])


async def test_a_broken_one_costs_nobody_else_and_is_not_tried_at_once(
    tmp_path: Path, source: BankSource, banks: OlderBanks, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "can" / VERSIONS[0] / artifacts.BANK
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    for _ in range(2):
        with pytest.raises(ArtifactError, match="sha256"):
            await banks.detector("can", VERSIONS[0])
    assert await banks.detector("can", VERSIONS[1])
    assert source.load_all().detectors["can"].manifest.bank_version == VERSIONS[-1]
    path.write_bytes(whole)
    with pytest.raises(ArtifactError, match="sha256"):
        await banks.detector("can", VERSIONS[0])
    monkeypatch.setattr(older, "_AGAIN_S", 0.0)
    assert await banks.detector("can", VERSIONS[0])


async def test_a_network_that_fails_here_is_tried_anew_for_what_serves(
    source: BankSource, load: Loader, banks: OlderBanks
) -> None:
    load.error = WeightsNotFound("no weights at /secret/place", public="no weights")
    with pytest.raises(WeightsNotFound):
        await banks.detector("can", VERSIONS[0])
    with pytest.raises(ArtifactError, match=r"^no weights$"):  # and no path
        await banks.detector("can", VERSIONS[0])
    load.error = None
    assert source.detector("can")


async def test_it_must_be_signed_where_those_that_serve_must(
    tmp_path: Path, source: BankSource
) -> None:
    public = generate_key().public_key()
    trusted = TrustedKeys({key_id(public): public})
    banks = OlderBanks(BankSource(tmp_path, source.networks, trusted=trusted))
    with pytest.raises(SignatureError):
        await banks.detector("can", VERSIONS[0])
    banks.close()
    with pytest.raises(CategoryUnavailable, match="stopping"):
        await banks.detector("can", VERSIONS[0])

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import (
    ArtifactError,
    CategoryUnavailable,
    InvalidRule,
    SignatureError,
    UnknownCategory,
)
from app.core.features.extractor import Extractor, FeatureSpec
from app.core.features.runtimes import Engine
from app.core.store import artifact as artifacts
from app.service.networks import SharedNetworks
from app.service.registry import BankSource
from app.service.reloads import Reloads
from app.service.thresholds import AnotherServes, use_threshold
from tests.support import colour_extractor, make_artifact


def served(models: Path) -> Reloads:
    def load(spec: FeatureSpec, _: Engine) -> Extractor:
        return colour_extractor(spec)

    return Reloads(BankSource(models, SharedNetworks(load)), lambda _: None)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in ("can", "box"):
        artifacts.save(tmp_path, make_artifact(name))
    return tmp_path


def versions(models: Path) -> list[str]:
    return artifacts.versions(models / "can")


def test_it_serves_at_once_and_nothing_else_changes(models: Path) -> None:
    reloads = served(models)
    old, box = reloads.registry.detector("can"), reloads.registry.detector("box")
    before = old.manifest
    manifest, results = use_threshold(
        models, reloads, "can", before.bank_version, 0.025, signed=False
    )
    now = reloads.registry.detector("can")
    assert [(r.category, r.outcome, r.bank_version) for r in results] == [
        ("can", "loaded", manifest.bank_version)
    ]
    assert now.calibration.threshold == manifest.threshold.value == 0.025
    assert manifest.threshold.alpha == pytest.approx(3 / 5)  # two of four scores lie above it
    assert now.manifest.bank_sha256 == before.bank_sha256
    assert reloads.registry.detector("box") is box
    assert versions(models) == sorted([before.bank_version, manifest.bank_version])


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_what_is_no_threshold_is_refused(models: Path, value: float) -> None:
    reloads, before = served(models), versions(models)
    with pytest.raises(InvalidRule):
        use_threshold(models, reloads, "can", before[0], value, signed=False)
    assert versions(models) == before


def test_of_a_version_that_serves_no_more_it_is_refused(models: Path) -> None:
    reloads, before = served(models), versions(models)
    artifacts.save(models, make_artifact("can"))
    reloads.refresh()
    with pytest.raises(AnotherServes, match="serves by now"):
        use_threshold(models, reloads, "can", before[0], 0.5, signed=False)


def test_where_banks_must_be_signed_nothing_is_written(models: Path) -> None:
    reloads, before = served(models), versions(models)
    with pytest.raises(SignatureError, match="goodsguard sign"):
        use_threshold(models, reloads, "can", before[0], 0.5, signed=True)
    assert versions(models) == before


def test_a_category_that_does_not_serve(models: Path) -> None:
    (models / "can" / versions(models)[0] / artifacts.BANK).write_bytes(b"damaged")
    reloads = served(models)
    with pytest.raises(CategoryUnavailable):
        use_threshold(models, reloads, "can", versions(models)[0], 0.5, signed=False)
    with pytest.raises(UnknownCategory):
        use_threshold(models, reloads, "none", "", 0.5, signed=False)


def test_a_bank_damaged_since_it_was_loaded_is_not_written_anew(models: Path) -> None:
    reloads, before = served(models), versions(models)
    (models / "can" / before[0] / artifacts.BANK).write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="does not match"):
        use_threshold(models, reloads, "can", before[0], 0.5, signed=False)
    assert versions(models) == before
    assert reloads.registry.detector("can").manifest.bank_version == before[0]

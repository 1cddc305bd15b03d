"""Banks that a release before schema 4 wrote: `tests/data/schema3`, with the scores it gave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.detector import Detector
from app.core.errors import ArtifactError
from app.core.judging.calibration import Alpha
from app.core.methods.knn import Knn, KnnSettings
from app.core.store import artifact as artifacts
from app.core.store import schema3
from app.core.store.tensors import Tensors
from tests.support import ROOT, bank_of, colour_extractor, encode, plain, textured

STORED = ROOT / "tests" / "data" / "schema3"
SCORES = json.loads((STORED / "scores.json").read_text())
PHOTOS = {
    "grey": encode(plain(123)),
    "red": encode(plain((200, 60, 60))),
    "blue": encode(plain((60, 60, 200))),
    "textured": encode(textured(60, 40)),
}


def detector(models: Path, category: str) -> Detector:
    artifact = artifacts.load(models, category)
    return Detector(artifact, colour_extractor().with_spec(artifact.manifest.features))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "models"))


@pytest.mark.parametrize("category", SCORES)
def test_an_older_bank_passes_its_self_test_and_scores_as_it_did(category: str) -> None:
    old = detector(STORED, category)
    old.self_test()
    for name, data in PHOTOS.items():
        wanted = float.fromhex(SCORES[category][name])
        assert old.inspect(data).score == pytest.approx(wanted, rel=1e-5)


def test_what_its_manifest_said_stands_in_todays_fields() -> None:
    manifest = artifacts.load(STORED, "can").manifest
    assert manifest.schema_version == 4
    assert manifest.method.kind == "knn"
    assert manifest.method.settings == KnnSettings(k=2)
    assert manifest.method.facts == {"vectors": 10, "dimensions": 3}
    assert manifest.counts.groups is None


def test_its_lists_are_read() -> None:
    learnt = artifacts.load(STORED, "box").method
    assert isinstance(learnt, Knn)
    assert learnt.search.lists is not None
    assert learnt.search.plan.lists == len(learnt.search.lists)


def test_its_selected_dimensions_stand() -> None:
    assert artifacts.load(STORED, "thin").manifest.features.selected_dimensions == (0, 2)


def test_another_threshold_writes_it_in_todays_schema(models: Path) -> None:
    old = artifacts.load(models, "can")
    written = artifacts.save(models, artifacts.with_threshold(old, Alpha(alpha=0.2)))
    again = artifacts.load(models, "can")
    assert again.manifest == written
    assert (
        json.loads((models / "can" / written.bank_version / "manifest.json").read_text())[
            "schema_version"
        ]
        == 4
    )
    np.testing.assert_array_equal(bank_of(again).vectors, bank_of(old).vectors)


def version(models: Path) -> Path:
    return models / "can" / artifacts.current_version(models / "can")


@pytest.mark.parametrize("name", ["manifest.json", "bank.safetensors"])
def test_a_changed_byte_of_an_older_bank_is_refused(models: Path, name: str) -> None:
    path = version(models) / name
    data = path.read_bytes()
    place = data.index(b'"k": 2') + 5 if name == "manifest.json" else len(data) - 1
    path.write_bytes(data[:place] + b"1" + data[place + 1 :])
    with pytest.raises(ArtifactError, match="sha256"):
        artifacts.load(models, "can")


@pytest.mark.parametrize(
    "change",
    [
        {"bank": None},
        {"coreset": {}},
        {"coreset": {"rule": []}},
        {"scoring": {"top_share": 0.1}},
        {"search": "exact"},
        {"search": {"method": "guess"}},
    ],
)
def test_an_older_manifest_of_another_form_is_refused(models: Path, change: Any) -> None:
    path = version(models) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError):
        artifacts.load(models, "can")


@pytest.mark.parametrize("missing", ["bank", "coreset", "scoring", "search"])
def test_an_older_manifest_without_a_field_is_refused(models: Path, missing: str) -> None:
    path = version(models) / "manifest.json"
    fields = json.loads(path.read_text())
    del fields[missing]
    path.write_text(json.dumps(fields))
    with pytest.raises(ArtifactError, match="no manifest of schema 3"):
        artifacts.load(models, "can")


def test_its_names_of_tensors_are_no_names_of_today(models: Path) -> None:
    data = (version(models) / "bank.safetensors").read_bytes()
    assert "vectors" in Tensors.parse(data, schema3.RENAMED).method
    with pytest.raises(ArtifactError, match="no bank has"):
        Tensors.parse(data)

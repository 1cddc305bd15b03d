from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core import detector as core
from app.core.building.build import build_bank
from app.core.building.preset import load_preset
from app.core.errors import NotAnImage, SignatureError, UnknownCategory, WeightsNotFound
from app.core.photo.dataset import read_category
from app.core.store import artifact as artifacts
from app.core.store import signing
from app.core.store.signing_keys import generate_key, write_key_pair
from app.opening import Detector, load_extractor
from tests.support import encode, plain, write_category

RED, GREY = plain((220, 40, 40)), plain(118)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("opening")
    preset = load_preset("embedded-knn")
    extractor = load_extractor(preset, device="cpu")
    build = build_bank(read_category(write_category(root).parent, "can"), preset, extractor)
    artifacts.save(root / "models", build.artifact)
    return root / "models"


@pytest.fixture(scope="module")
def detector(models: Path) -> Detector:
    return Detector.open(models, "can", device="cpu")


def test_it_is_the_cores_detector_on_the_engine_that_calibrated(detector: Detector) -> None:
    assert isinstance(detector, core.Detector)
    record = detector.manifest.runtime
    assert detector.engine == f"{record.name} {record.precision}"


def test_a_path_and_its_bytes_are_judged_alike(detector: Detector, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode(RED))
    found = [detector.inspect(photo) for photo in (path, str(path), path.read_bytes())]
    assert len({inspection.score for inspection in found}) == 1
    assert found[0].verdict == "anomalous"
    assert detector.inspect(encode(GREY)).score < found[0].score


def test_a_method_without_a_map_has_none(detector: Detector) -> None:
    assert detector.anomaly_map(detector.inspect(encode(RED))) is None


def test_what_cannot_be_judged_is_told(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        detector.inspect(tmp_path / "absent.png")
    with pytest.raises(NotAnImage):
        detector.inspect(b"no photo")


def test_what_cannot_be_opened_is_told(models: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownCategory):
        Detector.open(models, "jar")
    with pytest.raises(WeightsNotFound):
        Detector.open(str(models), "can", weights=tmp_path / "absent.pth")


def test_an_older_version_can_be_opened(models: Path, detector: Detector) -> None:
    old = detector.manifest.bank_version
    opened = Detector.open(models, "can", version=old, device="cpu")
    assert opened.manifest == detector.manifest
    photo = encode(RED)
    assert np.isclose(opened.inspect(photo).score, detector.inspect(photo).score, rtol=1e-6)


def test_only_what_is_signed_is_opened_where_that_is_asked(models: Path, tmp_path: Path) -> None:
    key = generate_key()
    public = write_key_pair(tmp_path / "key.pem", key)
    with pytest.raises(SignatureError):
        Detector.open(models, "can", trusted=public)
    signing.sign(models / "can" / artifacts.current_version(models / "can"), key)
    assert Detector.open(models, "can", trusted=public, device="cpu").manifest.category == "can"

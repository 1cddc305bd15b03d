"""What every method must do, whichever there are: from good photos to a bank that is loaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from PIL import Image

from app.core.building.build import Build, build_bank
from app.core.building.preset import Preset
from app.core.detector import Detector
from app.core.features.extractor import FeatureExtractor
from app.core.features.sample import Sample
from app.core.features.spool import Spool
from app.core.methods.method import Lesson
from app.core.methods.registry import methods
from app.core.photo.dataset import read_category
from app.core.store import artifact as artifacts
from tests.support import encode, write_photos

SIDE = 32
KINDS = sorted(methods())


def goods(seed: int, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """A bright disc on dark ground, its brightness and place a little different each time."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[1], : size[0]]
    middle = np.array(size[::-1]) / 2 + chance.normal(0, 0.4, 2)
    away = np.hypot(rows - middle[0], columns - middle[1])
    grey = np.where(away < min(size) / 3, 170, 60) + chance.normal(0, 5, (size[1], size[0]))
    return Image.fromarray(np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))


def damaged(seed: int) -> Image.Image:
    image = goods(seed)
    image.paste((255, 30, 30), (12, 12, 22, 22))
    return image


def preset(kind: str, resize: str = "letterbox") -> Preset:
    preprocess = {"input_size": SIDE, "resize": resize, "mean": [0, 0, 0], "std": [1, 1, 1]}
    features = {
        "backbone": "pixels",
        "layers": ["pixels"],
        "pooling": "patches",
        "preprocess": preprocess,
    }
    return Preset.model_validate(
        {
            "name": f"pixels-{kind}",
            "description": "raw pixels",
            "features": features,
            "method": {"kind": kind},
            "scoring": {"top_share": 0.05},
            "calibration": {"folds": 3},
            "threshold": {"rule": "alpha", "alpha": 0.1},
        }
    )


@cache
def extractor(kind: str) -> FeatureExtractor:
    return FeatureExtractor.load(preset(kind).features, torch.device("cpu"), None)


@cache
def built(kind: str) -> Build:
    with TemporaryDirectory() as root:
        write_photos(Path(root) / "can" / "train" / "good", [goods(s) for s in range(24)])
        return build_bank(read_category(Path(root), "can"), preset(kind), extractor(kind))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_damage_is_found_and_good_photos_are_not_alarmed_about(kind: str) -> None:
    detector = Detector(built(kind).artifact, extractor(kind))
    assert detector.inspect(encode(damaged(100))).verdict == "anomalous"
    alarms = [detector.inspect(encode(goods(seed))).is_anomalous for seed in range(100, 120)]
    assert sum(alarms) <= 8


def test_the_map_is_highest_where_the_damage_is(kind: str) -> None:
    detector = Detector(built(kind).artifact, extractor(kind))
    canvas = detector.anomaly_map(detector.inspect(encode(damaged(101))), (SIDE, SIDE))
    assert canvas is not None
    row, column = np.unravel_index(canvas.argmax(), canvas.shape)
    assert 10 <= row < 24
    assert 10 <= column < 24


def test_a_stored_bank_passes_its_self_test_and_scores_the_same(kind: str, tmp_path: Path) -> None:
    artifact = built(kind).artifact
    artifacts.save(tmp_path, artifact)
    loaded = artifacts.load(tmp_path, "can")
    assert loaded.manifest.method == artifact.manifest.method
    before, after = (Detector(a, extractor(kind)) for a in (artifact, loaded))
    after.self_test()
    for photo in (goods(7), goods(200), damaged(201)):
        assert after.inspect(encode(photo)).score == before.inspect(encode(photo)).score


def test_a_method_that_keeps_cells_says_which_and_how_far_others_are(kind: str) -> None:
    chosen = preset(kind).method
    cells = np.random.default_rng(0).random((6, SIDE, SIDE, 3), dtype=np.float32)
    with Spool() as spool:
        for one in cells:
            spool.append(Sample(one, 0, 0, (SIDE, SIDE)))
        lesson = Lesson(spool, [str(n) for n in range(6)], preset(kind).scoring)
        if not chosen.method.keeps_cells:
            assert built(kind).artifact.origins is None
            assert built(kind).artifact.method.distances(cells[0, 0]) is None
            return
        learnt = chosen.method.fit(chosen.settings, lesson)
    sources, away = learnt.sources, learnt.distances(cells[3, 5])
    assert sources is not None
    assert away is not None
    assert away.shape == (SIDE, len(sources))
    kept = cells.reshape(6, -1, 3)[sources[:, 0], sources[:, 1]]
    wanted = np.linalg.norm(cells[3, 5][:, None] - kept, axis=2)
    np.testing.assert_allclose(away, wanted, atol=1e-5)


def test_a_photo_in_a_batch_scores_as_alone(kind: str) -> None:
    detector = Detector(built(kind).artifact, extractor(kind))
    files = [encode(photo) for photo in (goods(300), damaged(301), goods(302, (48, 20)))]
    together = detector.judge([detector.read(data) for data in files])
    assert [one.score for one in together] == [detector.inspect(data).score for data in files]


@pytest.mark.parametrize("size", [(48, 20), (20, 48), (200, 2)])
def test_a_photo_of_any_shape_has_a_finite_score(kind: str, size: tuple[int, int]) -> None:
    detector = Detector(built(kind).artifact, extractor(kind))
    assert np.isfinite(detector.inspect(encode(goods(400, size))).score)

"""Patch methods from photo to overlay, on a network whose patches are the mean colours of cells."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.core.building.build import Build, build_bank
from app.core.building.preset import Preset
from app.core.detector import Detector
from app.core.evaluating.evaluation import evaluate
from app.core.features.extractor import FeatureExtractor, FeatureSpec
from app.core.judging.calibration import Fixed
from app.core.photo.dataset import read_category, read_test_split
from app.core.photo.images import IN_WORK, decode
from app.core.store import artifact as artifacts
from tests.support import ColourRuntime, bank_of, encode, plain, textured, write_photos

CELL = 8
INPUT = 64

PATCHES: dict[str, Any] = {
    "backbone": "resnet18",
    "weights_sha256": "0" * 64,
    "layers": ["layer2"],
    "pooling": "patches",
    "preprocess": {
        "input_size": INPUT, "resize": "letterbox", "mean": [0, 0, 0], "std": [1, 1, 1],
    },
}  # fmt: skip


class CellRuntime(ColourRuntime):
    """Strides of 8: each place of the map is the mean colour of 8 × 8 pixels."""

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.nn.functional.avg_pool2d(batch, CELL),)


def extractor(**changes: Any) -> FeatureExtractor:
    spec = FeatureSpec.model_validate(PATCHES | changes)
    return FeatureExtractor(spec, CellRuntime(spec=spec))


def method(**changes: Any) -> Preset:
    values: dict[str, Any] = {
        "name": "cells",
        "description": "mean colours of cells",
        "features": PATCHES,
        "method": {"kind": "knn"},
        "threshold": {"rule": "quantile", "q": 0.9},
    }
    return Preset.model_validate(values | changes)


def striped(shade: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Goods with a dark and a bright half."""
    image = plain(shade, size)
    image.paste((shade + 60,) * 3, (size[0] // 2, 0, *size))
    return image


def spotted(
    box: tuple[int, int, int, int], colour: tuple[int, int, int] = (230, 20, 20)
) -> Image.Image:
    """The same with a spot at a place."""
    image = striped(112)
    image.paste(colour, box)
    return image


def built(root: Path, **changes: Any) -> Build:
    write_photos(root / "can" / "train" / "good", [striped(s) for s in range(100, 130, 2)])
    return build_bank(read_category(root, "can"), method(**changes), extractor())


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(built(tmp_path_factory.mktemp("patches")).artifact, extractor())


def test_an_embedding_has_one_feature_per_place() -> None:
    made = extractor()
    embedding = made.embed([made.prepare(decode(encode(textured(64, 64))))])
    assert embedding.shape == (1, 64, 3)
    cells = np.asarray(textured(64, 64)).reshape(8, CELL, 8, CELL, 3).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(embedding[0].reshape(8, 8, 3), cells, atol=1e-3)


def test_a_neighbourhood_is_averaged_zeros_beyond_the_rim() -> None:
    one, three = extractor(), extractor(neighbourhood=3)
    photo = one.prepare(decode(encode(textured(64, 64))))
    cells = one.embed([photo])[0].reshape(8, 8, 3)
    expected = np.empty_like(cells)
    for row in range(8):
        for column in range(8):
            near = cells[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            expected[row, column] = near.sum(axis=(0, 1)) / 9
    np.testing.assert_allclose(three.embed([photo])[0].reshape(8, 8, 3), expected, atol=1e-5)


def test_photos_of_a_batch_are_judged_as_if_alone(detector: Detector) -> None:
    files = [encode(i) for i in (striped(111), spotted((10, 10, 50, 50)), plain(9, (30, 90)))]
    together = detector.judge([detector.read(data) for data in files])
    assert [i.score for i in together] == [detector.inspect(data).score for data in files]


def test_padding_enters_neither_bank_nor_score(tmp_path: Path) -> None:
    artifact = built(tmp_path).artifact
    assert len(bank_of(artifact)) == 15 * 8 * 6  # 160 × 120 is letterboxed to 8 × 6 cells


def test_a_coreset_keeps_the_share_asked_for(tmp_path: Path) -> None:
    artifact = built(tmp_path, method={"kind": "knn", "coreset_ratio": 0.1}).artifact
    assert len(bank_of(artifact)) == 72


def test_calibration_scores_are_of_photos_left_out(tmp_path: Path) -> None:
    build = built(tmp_path)
    scores = build.artifact.calibration.scores
    assert len(scores) == 15
    # Neighbouring shades are grey levels apart, which a bank with the photo itself would hide.
    assert (scores > 0.005).all()


def test_good_is_normal_and_a_spot_anomalous(detector: Detector) -> None:
    assert detector.inspect(encode(striped(111))).verdict == "normal"
    assert detector.inspect(encode(spotted((10, 10, 50, 50)))).verdict == "anomalous"


@given(left=st.integers(0, 110), top=st.integers(0, 70))
def test_a_region_covers_the_spot(detector: Detector, left: int, top: int) -> None:
    inspection = detector.inspect(encode(spotted((left, top, left + 50, top + 50))))
    region = detector.regions(inspection)[0]
    assert region.left <= left + 25 < region.right
    assert region.top <= top + 25 < region.bottom
    slack = 2 * CELL * 160 / INPUT
    assert region.left >= left - slack
    assert region.right <= left + 50 + slack
    assert region.top >= top - slack
    assert region.bottom <= top + 50 + slack


def test_regions_lie_within_the_photo_and_come_highest_first(detector: Detector) -> None:
    image = spotted((0, 0, 40, 40))
    image.paste((160, 60, 60), (120, 80, 160, 120))
    regions = detector.regions(detector.inspect(encode(image)))
    assert len(regions) == 2
    assert regions[0].peak >= regions[1].peak
    assert all(0 <= r.left < r.right <= 160 and 0 <= r.top < r.bottom <= 120 for r in regions)
    assert all(0 < r.area <= (r.right - r.left) * (r.bottom - r.top) * 1.1 for r in regions)


def test_a_good_photo_has_no_regions(detector: Detector) -> None:
    assert detector.regions(detector.inspect(encode(striped(111)))) == []


@pytest.mark.parametrize("shape", [(120, 160), (30, 40), (240, 320)])
def test_the_map_peaks_at_the_spot(detector: Detector, shape: tuple[int, int]) -> None:
    inspection = detector.inspect(encode(spotted((100, 20, 150, 70))))
    canvas = detector.anomaly_map(inspection, shape)
    assert canvas is not None
    assert canvas.shape == shape
    row, column = np.unravel_index(canvas.argmax(), shape)
    assert 100 <= column * 160 / shape[1] < 150
    assert 20 <= row * 120 / shape[0] < 70


def test_a_photo_held_sideways_has_its_map_upright(detector: Detector) -> None:
    upright = spotted((100, 20, 150, 70))
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = encode(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    maps = [
        detector.anomaly_map(detector.inspect(data), (120, 160))
        for data in (encode(upright), sideways)
    ]
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "shown"), [((160, 120), (160, 120)), ((2048, 1536), (1024, 768))])
def test_an_overlay_is_a_picture_of_the_photo(
    detector: Detector, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    data = encode(striped(111, size), "JPEG")
    _, overlay = detector.inspect_and_draw(data)
    assert overlay is not None
    with Image.open(io.BytesIO(overlay)) as picture:
        assert (picture.format, picture.size) == ("PNG", shown)


def drafting(tmp_path: Path, margin: float) -> Detector:
    """The same goods, JPEGs decoded at a fraction of their size down to `margin` times 64."""
    spec = {"preprocess": PATCHES["preprocess"] | {"draft_margin": margin}}
    write_photos(tmp_path / "can" / "train" / "good", [striped(s) for s in range(100, 130, 2)])
    preset = method(features=PATCHES | spec)
    build = build_bank(read_category(tmp_path, "can"), preset, extractor(**spec))
    return Detector(build.artifact, extractor(**spec))


@pytest.mark.parametrize(
    ("margin", "shown"),
    [
        (0.0, (1024, 683)),  # in full
        (8.0, (1024, 683)),  # 1500 × 1000, and larger than a screen shows
        (7.0, (750, 500)),
        (2.0, (375, 250)),
    ],
)
def test_a_score_is_the_same_with_and_without_its_overlay(
    tmp_path: Path, margin: float, shown: tuple[int, int]
) -> None:
    """To the bit. A JPEG may be decoded at a fraction of its size, which its overlay has, too."""
    detector = drafting(tmp_path, margin)
    data = encode(textured(3000, 2000), "JPEG", quality=80)
    alone, (inspection, overlay) = detector.inspect(data), detector.inspect_and_draw(data)
    assert inspection.score == alone.score
    assert inspection.embedding.tobytes() == alone.embedding.tobytes()
    assert (inspection.width, inspection.height) == (3000, 2000)
    assert overlay is not None
    assert decode(overlay).rgb.size == shown


def test_a_photo_of_which_an_overlay_is_drawn_is_decoded_once(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def counted(data: bytes, **options: Any) -> Any:
        decoded.append(len(data))
        return decode(data, **options)

    monkeypatch.setattr("app.core.detector.decode", counted)
    data = encode(spotted((100, 20, 150, 70)))
    assert detector.inspect_and_draw(data)[1] is not None
    assert decoded == [len(data)]


def test_drawing_leaves_no_pixels_in_work(detector: Detector) -> None:
    free = IN_WORK._free
    for _ in range(3):
        detector.inspect_and_draw(encode(striped(111)))
    assert IN_WORK._free == free


def test_an_overlay_marks_the_spot_and_leaves_a_good_photo_calm(detector: Detector) -> None:
    def changed(image: Image.Image) -> Any:
        data = encode(image)
        _, overlay = detector.inspect_and_draw(data)
        assert overlay is not None
        difference = np.asarray(decode(overlay).rgb).astype(int) - np.asarray(image)
        return np.abs(difference).max(axis=2)

    calm, marked = changed(striped(112)), changed(spotted((100, 20, 150, 70), (20, 20, 230)))
    assert calm.max() < 60
    assert marked[25:65, 105:145].mean() > 30
    assert marked[90:, :40].max() < 60


def test_a_saved_patch_bank_gives_the_same_scores(detector: Detector, tmp_path: Path) -> None:
    build = built(tmp_path / "data")
    artifacts.save(tmp_path / "models", build.artifact)
    loaded = Detector(artifacts.load(tmp_path / "models", "can"), extractor())
    data = encode(spotted((10, 10, 50, 50)))
    assert loaded.inspect(data).score == detector.inspect(data).score
    assert loaded.regions(loaded.inspect(data)) == detector.regions(detector.inspect(data))


def test_another_threshold_is_another_version_of_the_same_bank(tmp_path: Path) -> None:
    artifact = built(tmp_path).artifact
    changed = artifacts.with_threshold(artifact, Fixed(threshold=0.5))
    assert changed.manifest.bank_version != artifact.manifest.bank_version
    assert changed.calibration.threshold == changed.manifest.threshold.value == 0.5
    assert changed.method is artifact.method


def test_masks_give_pixel_figures(detector: Detector, tmp_path: Path) -> None:
    folder = tmp_path / "can"
    write_photos(folder / "test" / "good", [striped(s) for s in (105, 115)])
    boxes = [(10, 10, 60, 60), (90, 50, 150, 110)]
    write_photos(folder / "test" / "spot", [spotted(box) for box in boxes])
    for index, box in enumerate(boxes):
        mask = Image.new("L", (160, 120))
        mask.paste(255, box)
        (folder / "ground_truth" / "spot").mkdir(parents=True, exist_ok=True)
        mask.save(folder / "ground_truth" / "spot" / f"photo_{index:03d}_mask.png")
    evaluation = evaluate(
        read_test_split(tmp_path, "can"),
        detector.manifest,
        detector.inspect,
        anomaly_map=detector.anomaly_map,
    ).evaluation
    assert evaluation.pixel_auroc is not None
    assert evaluation.pixel_auroc > 0.95
    assert evaluation.aupro is not None
    assert 0.5 < evaluation.aupro <= 1


@pytest.mark.parametrize(
    "change", [{"neighbourhood": 2}, {"pooling": "global_mean", "neighbourhood": 3}]
)
def test_a_neighbourhood_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="neighbourhood"):
        FeatureSpec.model_validate(PATCHES | change)

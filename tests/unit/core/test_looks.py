"""Banks with a look, through build, disk and detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.core.building.build import Build, build_bank
from app.core.detector import Detector
from app.core.errors import ArtifactError, PresetError
from app.core.photo.dataset import read_category
from app.core.store import artifact as artifacts
from app.core.store.tensors import Tensors
from tests.support import bank_of, encode, plain, write_photos
from tests.unit.core.features.test_patches import (
    CELL,
    INPUT,
    extractor,
    method,
    spotted,
    striped,
)

RIGHT = {"kind": "mask", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}
CORNER = {"kind": "box", "box": [0.5, 0.5, 1.0, 1.0], "zoom": True}
WITHIN = {"kind": "box", "box": [0.5, 0.5, 1.0, 1.0]}


def built(root: Path, look: dict[str, Any], **changes: Any) -> Build:
    write_photos(root / "can" / "train" / "good", [striped(s) for s in range(100, 130, 2)])
    return build_bank(read_category(root, "can"), method(look=look, **changes), extractor())


def detector(root: Path, look: dict[str, Any]) -> Detector:
    return Detector(built(root, look).artifact, extractor())


def test_what_is_masked_enters_neither_bank_nor_verdict(tmp_path: Path) -> None:
    judge = detector(tmp_path, RIGHT)
    assert len(bank_of(built(tmp_path / "again", RIGHT).artifact)) == 15 * 4 * 6
    masked = judge.inspect(encode(spotted((10, 10, 50, 50))))
    assert masked.verdict == "normal"
    seen = judge.inspect(encode(spotted((100, 10, 140, 50))))
    assert seen.verdict == "anomalous"
    (region,) = judge.regions(seen)
    slack = CELL * 160 / INPUT
    assert 100 - slack <= region.left < 140 <= region.right + slack


def test_the_map_is_zero_where_nothing_is_looked_at(tmp_path: Path) -> None:
    judge = detector(tmp_path, RIGHT)
    inspection = judge.inspect(encode(spotted((60, 30, 110, 80))))
    assert inspection.score_map is not None
    assert not inspection.score_map[:, :4].any()
    assert inspection.score_map[:, 4:].any()


def test_a_box_is_judged_alone_and_regions_lie_in_the_photo_as_sent(tmp_path: Path) -> None:
    judge = detector(tmp_path, CORNER)
    assert judge.inspect(encode(spotted((10, 10, 50, 50)))).verdict == "normal"
    inspection = judge.inspect(encode(spotted((110, 80, 140, 110))))
    assert inspection.verdict == "anomalous"
    assert (inspection.width, inspection.height) == (160, 120)
    (region,) = judge.regions(inspection)
    slack = CELL * 80 / INPUT
    for found, true in zip(
        (region.left, region.top, region.right, region.bottom), (110, 80, 140, 110), strict=True
    ):
        assert abs(found - true) <= slack
    canvas = judge.anomaly_map(inspection, (120, 160))
    assert canvas is not None
    assert not canvas[:60].any()
    assert not canvas[:, :80].any()


def test_a_box_without_zoom_judges_what_lies_inside_and_learns_from_all(tmp_path: Path) -> None:
    judge = detector(tmp_path, WITHIN)
    assert len(bank_of(built(tmp_path / "again", WITHIN).artifact)) == 15 * 8 * 6
    assert judge.inspect(encode(spotted((10, 10, 50, 50)))).verdict == "normal"
    inspection = judge.inspect(encode(spotted((100, 70, 150, 110))))
    assert inspection.verdict == "anomalous"
    (region,) = judge.regions(inspection)
    slack = CELL * 160 / INPUT
    edges = (region.left, region.top, region.right, region.bottom)
    for found, true in zip(edges, (100, 70, 150, 110), strict=True):
        assert abs(found - true) <= slack
    canvas = judge.anomaly_map(inspection, (120, 160))
    assert canvas is not None
    assert not canvas[: 60 - int(slack)].any()
    assert not canvas[:, : 80 - int(slack)].any()


def test_an_upright_photo_and_one_held_sideways_are_seen_through_the_same_box(
    tmp_path: Path,
) -> None:
    judge = detector(tmp_path, CORNER)
    image = spotted((110, 80, 140, 110))
    upright = judge.inspect(encode(image, "JPEG", quality=95))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = image.transpose(Image.Transpose.ROTATE_90)
    sideways = judge.inspect(encode(turned, "JPEG", quality=95, exif=exif))
    assert sideways.score == pytest.approx(upright.score, rel=0.05)
    (one,), (two,) = judge.regions(upright), judge.regions(sideways)
    assert abs(one.left - two.left) <= 2
    assert abs(one.top - two.top) <= 2


def test_a_learned_look_finds_the_goods_and_passes_over_the_shelf(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def before_a_shelf(shade: int, spot: tuple[int, int, int, int] | None = None) -> Image.Image:
        shelf = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(shelf).resize((128, 128), Image.Resampling.NEAREST)
        image.paste((shade, shade, 40), (36, 24, 92, 104))
        if spot:
            image.paste((230, 20, 230), spot)
        return image

    write_photos(
        tmp_path / "can" / "train" / "good", [before_a_shelf(100 + s % 20) for s in range(40)]
    )
    category = read_category(tmp_path, "can")
    auroc = {}
    for kind in ("whole", "learned"):
        build = build_bank(category, method(look={"kind": kind}), extractor())
        judge = Detector(build.artifact, extractor())
        assert build.artifact.manifest.look.kind == kind
        rng = np.random.default_rng(7)
        good = [judge.inspect(encode(before_a_shelf(110))).score for _ in range(20)]
        bad = [
            judge.inspect(encode(before_a_shelf(110, (56, 56, 72, 72)))).score for _ in range(20)
        ]
        auroc[kind] = np.mean(np.subtract.outer(bad, good) > 0)
    assert auroc["learned"] > 0.95
    assert auroc["learned"] > auroc["whole"] + 0.1


@pytest.mark.parametrize("look", [RIGHT, CORNER, WITHIN, {"kind": "learned"}])
def test_a_stored_bank_looks_where_it_did(look: dict[str, Any], tmp_path: Path) -> None:
    artifact = built(tmp_path, look).artifact
    artifacts.save(tmp_path / "models", artifact)
    stored = artifacts.load(tmp_path / "models", "can")
    assert stored.manifest.look == artifact.manifest.look
    before, after = (Detector(a, extractor()) for a in (artifact, stored))
    after.self_test()
    for data in (encode(striped(111)), encode(spotted((100, 70, 150, 110)))):
        assert after.inspect(data).score == before.inspect(data).score


def test_a_look_that_lacks_its_weights_or_has_others_is_refused(tmp_path: Path) -> None:
    artifact = built(tmp_path, RIGHT).artifact
    tensors = artifact.tensors()
    assert tensors.look_weights is not None
    for weights in (-tensors.look_weights, 2 * tensors.look_weights, 0 * tensors.look_weights):
        broken = Tensors(**{**vars(tensors), "look_weights": weights})
        with pytest.raises(ArtifactError, match="between 0 and 1"):
            Tensors.parse(broken.render())


def test_places_cannot_be_weighed_where_there_are_none(tmp_path: Path) -> None:
    write_photos(tmp_path / "can" / "train" / "good", [plain(s) for s in range(100, 130, 2)])
    features = {**method().features.model_dump(), "pooling": "global_mean"}
    whole = method(features=features, look=RIGHT)
    spec = whole.features
    with pytest.raises(PresetError, match="take a box"):
        build_bank(read_category(tmp_path, "can"), whole, extractor(**spec.model_dump()))

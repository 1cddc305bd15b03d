from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.building.build import Build, build_bank
from app.core.features.extractor import FeatureSpec
from app.core.photo.dataset import Category, read_category
from app.core.photo.images import MAX_PIXELS, decode
from app.core.photo.look import WHOLE, Look, LookRecord
from app.reports.build_page import draw_build, write_page
from app.reports.look_pictures import LookSeen, look_sheet
from app.reports.style import save
from tests.support import Floats, encode, plain, textured, write_photos
from tests.unit.core.features.test_patches import PATCHES, extractor, method, striped

SPEC = FeatureSpec.model_validate(PATCHES)  # letterbox to 64 × 64, cells of 8 × 8
BOX = LookRecord(kind="box", box=(0.25, 0.5, 0.75, 1))


def seen(look: Look, *paths: Path) -> LookSeen:
    return LookSeen("can", look, SPEC, paths, MAX_PIXELS)


def counts(look: Look, size: tuple[int, int]) -> Floats:
    image = decode(encode(textured(*size)))
    return seen(look).counts(image, (size[1], size[0]))


def test_a_box_counts_inside_and_nowhere_else() -> None:
    expected = np.zeros((120, 160))
    expected[60:, 40:120] = 1
    np.testing.assert_array_equal(counts(Look(BOX), (160, 120)), expected)


def test_a_mask_counts_by_whole_cells() -> None:
    weights = np.zeros((4, 8), dtype=np.float32)
    weights[:2, :4] = 1  # the upper left quarter of 64 × 32 pixels: cells of 8 × 8
    expected = np.zeros((32, 64), dtype=bool)
    expected[:16, :32] = True
    found = counts(Look(LookRecord(kind="mask"), weights), (64, 32)) > 0
    assert (found != expected).sum() <= 32  # the corner of the seam is rounded
    np.testing.assert_array_equal(found[:12, :28], expected[:12, :28])


def test_weights_count_as_they_are_up_to_the_seam() -> None:
    weights = np.full((8, 8), 0.5, dtype=np.float32)
    weights[:, 4:] = 0
    found = counts(Look(LookRecord(kind="learned"), weights), (64, 64))
    np.testing.assert_allclose(found[:, :32], 0.5, atol=0.26)
    np.testing.assert_allclose(found[:, :28], 0.5, atol=1e-6)
    assert (found[:, 32:] == 0).all()
    assert (found[:, :32] > 0).all()


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        (WHOLE, "all of each photo is looked at"),
        (Look(BOX), "a box is looked at, 25% of the photo"),
        (
            Look(LookRecord(kind="learned"), np.eye(2, dtype=np.float32)[:1]),
            "50% of the photo are looked at, where the good photos show the goods",
        ),
    ],
)
def test_what_is_looked_at_is_said_in_words(tmp_path: Path, look: Look, sentence: str) -> None:
    assert seen(look, *write_photos(tmp_path, [plain(9, (64, 64))])).sentence() == sentence


def test_the_mean_is_that_of_the_photos_in_their_commonest_size(tmp_path: Path) -> None:
    photos = [plain(100, (64, 32)), plain(200, (64, 32)), plain(150, (20, 60))]
    mean = seen(WHOLE, *write_photos(tmp_path, photos)).mean()
    assert mean is not None
    assert (mean.width, mean.height) == (64, 32)
    assert mean.rgb.size == (256, 128)
    assert (np.asarray(mean.rgb) == 150).all()


def test_a_sheet_shows_colour_where_is_looked_and_grey_elsewhere(tmp_path: Path) -> None:
    paths = write_photos(tmp_path, [plain((200, 40, 40), (64, 64))] * 6)
    figure = look_sheet(seen(Look(BOX), *paths))
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes[:8]]
    photos = [shown[0], *shown[1:4], *shown[5:]]
    for pixels in photos:
        height, width = pixels.shape[:2]
        assert (pixels[height * 3 // 4, width // 2] == (200, 40, 40)).all()
        assert len(set(pixels[height // 4, width // 2].tolist())) == 1
    save(figure, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        picture.load()


def test_photos_that_are_gone_leave_their_places_empty(tmp_path: Path) -> None:
    sheet = look_sheet(seen(Look(BOX), tmp_path / "gone.png"))
    assert sum(bool(axes.images) for axes in sheet.axes) == 0


def built(root: Path) -> tuple[Build, Category]:
    write_photos(root / "can" / "train" / "good", [striped(s) for s in range(100, 130, 2)])
    source = read_category(root, "can")
    preset = method(look={"kind": "box", "box": BOX.box}, augment={"turns": "quarter"})
    return build_bank(source, preset, extractor()), source


def test_the_page_says_what_was_built_and_shows_where_it_looks(tmp_path: Path) -> None:
    build, source = built(tmp_path)
    report = tmp_path / "report"
    bank = draw_build(report, build, source, ["a <remark>"])
    text = write_page(report, [bank]).read_text(encoding="utf-8")
    assert (report / "can_look.png").is_file()
    assert "![can_look](can_look.png)" in text
    assert "`box`: a box is looked at, 25% of the photo" in text
    assert "15 and 45 turned copies" in text
    assert build.artifact.manifest.bank_version in text
    assert "- **a &lt;remark&gt;**" in text

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydantic import TypeAdapter

from app.core.building.looking import (
    LookBox,
    LookChoice,
    LookLearned,
    LookMask,
    LookWhole,
    chosen,
    seen_by,
)
from app.core.errors import PresetError
from app.core.photo.look import WHOLE
from tests.support import colour_extractor
from tests.unit.core.building.test_prior import Given, goods

CHOICES: TypeAdapter[LookChoice] = TypeAdapter(LookChoice)


def mask(path: Path, size: tuple[int, int] = (200, 100)) -> Path:
    """White on the left half."""
    image = Image.new("L", size)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2 - 1, size[1]), fill=255)
    image.save(path)
    return path


def test_options_become_a_look(tmp_path: Path) -> None:
    assert chosen(None, None, None) is None
    assert chosen("whole", None, None) == CHOICES.validate_python({"kind": "whole"})
    assert chosen(None, "0.2,0.1,0.8,0.9", None) == LookBox(kind="box", box=(0.2, 0.1, 0.8, 0.9))
    zoomed = chosen(None, "0.2,0.1,0.8,0.9", None, zoom=True)
    assert zoomed == LookBox(kind="box", box=(0.2, 0.1, 0.8, 0.9), zoom=True)
    file = mask(tmp_path / "mask.png")
    assert chosen(None, None, file) == LookMask(kind="mask", file=file)
    learned = chosen("learned", "0,0,0.5,1", None)
    assert learned == LookLearned(kind="learned", box=(0, 0, 0.5, 1))


@pytest.mark.parametrize(
    ("kind", "box", "file", "message"),
    [
        ("box", None, None, "a box look needs --box"),
        ("whole", "0,0,1,0.5", None, "a whole look takes no --box"),
        ("learned", None, Path("m.png"), "a learned look takes no --mask"),
        ("middle", None, None, "--look is whole, box, mask, learned or auto, not middle"),
        (None, "0.5,0.5", None, "--box is left,top,right,bottom in shares of the photo"),
        (None, "a,b,c,d", None, "--box is left,top,right,bottom in shares of the photo"),
        (None, "0.5,0,0.2,1", None, "a box is .left, top, right, bottom."),
        ("mask", None, None, "a mask look needs --mask"),
        (None, "nan,0,1,1", None, "--box is four numbers from 0 to 1"),
    ],
)
def test_options_that_contradict_each_other_are_told(
    kind: str | None, box: str | None, file: Path | None, message: str
) -> None:
    with pytest.raises(PresetError, match=message):
        chosen(kind, box, file)


@pytest.mark.parametrize("kind", [None, "whole", "learned"])
def test_a_zoom_needs_a_box(kind: str | None) -> None:
    with pytest.raises(PresetError, match="--zoom crops to a box: give it by --box"):
        chosen(kind, None, None, zoom=True)


def test_a_mask_file_weighs_the_photo(tmp_path: Path) -> None:
    look = LookMask(kind="mask", file=mask(tmp_path / "mask.png")).seen()
    assert look.weights is not None
    assert look.weights.shape == (64, 128)
    np.testing.assert_allclose(look.weights[:, :64], 1, rtol=1e-6)
    np.testing.assert_array_equal(look.weights[:, 64:], 0)


def test_a_mask_is_one_of_the_whole_photo_also_where_a_box_is_cut(tmp_path: Path) -> None:
    file = mask(tmp_path / "mask.png")
    look = LookMask(kind="mask", file=file, box=(0.25, 0, 1, 1)).seen()
    assert look.weights is not None
    third = look.weights.shape[1] / 3  # the marked part of the box
    np.testing.assert_allclose(look.weights.sum(axis=1), third, atol=0.1)
    with pytest.raises(PresetError, match="marks nothing"):
        LookMask(kind="mask", file=file, box=(0.6, 0, 1, 1)).seen()


def test_a_polygon_is_drawn() -> None:
    look = LookMask(kind="mask", polygon=((0, 0), (1, 0), (0, 1))).seen()
    assert look.weights is not None
    assert look.weights.mean() == pytest.approx(0.5, abs=0.02)
    assert look.weights[5, 5] == 1
    assert look.weights[-5, -5] == 0


def test_what_is_no_mask_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture at all")
    with pytest.raises(PresetError, match=r"text\.png cannot be read"):
        LookMask(kind="mask", file=tmp_path / "text.png").seen()
    with pytest.raises(PresetError, match=r"gone\.png cannot be read: No such file"):
        LookMask(kind="mask", file=tmp_path / "gone.png").seen()


def test_features_without_places_are_told_before_a_photo_is_read() -> None:
    with pytest.raises(PresetError, match="a learned look weighs places"):
        seen_by(LookLearned(kind="learned"), colour_extractor())
    assert seen_by(LookWhole(), colour_extractor()).look == WHOLE


def test_a_learned_look_weighs_the_middle_and_leaves_out_the_rim() -> None:
    choice = LookLearned(kind="learned")
    assert choice.seen() is WHOLE
    look, prior = choice.learnt(Given(goods()))
    assert look.weights is not None
    assert look.weights[5:11, 6:10].min() > 0.9
    assert look.weights[:, :3].max() == 0
    kept = prior.probability >= 0.5
    np.testing.assert_allclose(look.weights[kept], prior.probability[kept] ** 0.5, rtol=1e-5)
    assert not look.weights[~kept].any()

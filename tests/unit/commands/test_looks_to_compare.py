"""Presets that are compared with several looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from app.commands.banks_to_compare import take_or_build
from app.commands.comparing import compare_category
from app.commands.contenders import Contender, load_presets, with_looks
from app.commands.drawn_to_compare import DRAWN
from app.commands.looks_to_compare import AskedLook, asked_looks
from app.core.building.looking import LookBox, LookLearned, LookMask, LookWhole
from app.core.errors import PresetError
from app.core.photo.dataset import read_category
from app.reports.comparison_table import cells, columns
from tests.support import METHOD, colour_extractor, encode, write_photos
from tests.unit.core.features.test_patches import extractor, method, striped

BOX = "0.25,0.25,0.75,0.75"


def write_mask(path: Path, box: tuple[int, int, int, int]) -> Path:
    mask = Image.new("L", (160, 120))
    mask.paste(255, box)
    path.write_bytes(encode(mask))
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return write_mask(tmp_path / "mask.png", (40, 30, 120, 90))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Good photos alone, of stripes."""
    shades = range(100, 140, 2)
    write_photos(tmp_path / "data/can/train/good", [striped(shade) for shade in shades])
    return tmp_path / "data"


def kinds(looks: Sequence[AskedLook]) -> list[str]:
    return [look.kind for look in looks]


def test_without_options_presets_look_as_they_do() -> None:
    assert asked_looks([], None, None) == []


def test_a_box_and_a_mask_are_looks_of_their_own(mask: Path) -> None:
    found = asked_looks(["learned", "whole", "auto"], BOX, mask)
    assert kinds(found) == ["learned", "whole", "auto", "box", "mask"]
    learned, whole, auto, box, marked = found
    assert learned.choice == LookLearned(kind="learned")
    assert whole.choice == LookWhole()
    assert box.choice == LookBox(kind="box", box=(0.25, 0.25, 0.75, 0.75))
    assert marked.choice == LookMask(kind="mask", file=mask)
    assert auto.choice is None
    assert auto.given == LookMask(kind="mask", file=mask, box=(0.25, 0.25, 0.75, 0.75))


def test_a_zoom_is_the_boxs_alone() -> None:
    whole, box = asked_looks(["whole", "box"], BOX, None, zoom=True)
    assert whole.choice == LookWhole()
    assert isinstance(box.choice, LookBox)
    assert box.choice.zoom
    assert box.crop == (0.25, 0.25, 0.75, 0.75)


@pytest.mark.parametrize(
    ("looks", "box", "mask", "zoom", "words"),
    [
        (["whole", "whole"], None, None, False, "--look whole is given more than once"),
        (["box"], None, None, False, "a box look needs --box"),
        (["mask"], None, None, False, "a mask look needs --mask"),
        (["near"], None, None, False, "not near"),
        (["whole"], None, None, True, "--zoom crops to a box"),
        ([], None, Path("gone.png"), False, "gone.png cannot be read"),
    ],
)
def test_looks_that_make_no_sense_are_refused(
    looks: list[str], box: str | None, mask: Path | None, zoom: bool, words: str
) -> None:
    with pytest.raises(PresetError, match=words):
        asked_looks(looks, box, mask, zoom=zoom)


def test_one_preset_is_enough_for_two_looks() -> None:
    assert [p.name for p in load_presets(["patch"], 2)] == ["patch"]
    for looks in (0, 1):
        with pytest.raises(PresetError, match="two presets or more, or two looks"):
            load_presets(["patch"], looks)


def test_rows_are_named_for_the_look_where_it_is_not_the_presets_own() -> None:
    whole = Contender(method(), extractor())
    learning = Contender(method(name="learning", look={"kind": "learned"}), extractor())
    looks = asked_looks(["whole", "learned", "auto"], None, None)
    found = with_looks([whole, learning], looks)
    name = whole.preset.name
    assert [one.label for one in found] == [
        name, f"{name}, learned", f"{name}, auto",
        "learning, whole", "learning", "learning, auto",
    ]  # fmt: skip
    assert len({one.folder for one in found}) == 6
    assert with_looks([whole], []) == [whole]


def taken(data: Path, look: AskedLook) -> bool:
    """From one folder, whatever the look: the recipe alone tells the banks apart."""
    one = Contender(method(), extractor()).with_look(look)
    category = read_category(data, "can")
    network = extractor()
    _, there = take_or_build(
        data.parent / "banks", category, one.preset, network, None, lambda *_: None, one.asked
    )
    return there


def test_a_bank_of_another_look_is_not_taken(data: Path, mask: Path) -> None:
    looks = asked_looks(["whole", "learned", "auto"], BOX, mask)
    for look in looks:
        assert [taken(data, look), taken(data, look)] == [False, True]
    auto = asked_looks(["auto"], None, None)[0]
    assert [taken(data, auto), taken(data, auto)] == [False, True]  # tried without the mask


def test_a_mask_that_marks_otherwise_is_another_look(data: Path, mask: Path) -> None:
    look = asked_looks([], None, mask)[0]
    assert [taken(data, look), taken(data, look)] == [False, True]
    write_mask(mask, (40, 30, 120, 60))
    assert [taken(data, look), taken(data, look)] == [False, True]


def test_each_look_is_tried_on_the_same_drawn_photos(data: Path) -> None:
    looks = asked_looks(["whole", "learned", "auto"], BOX, None)
    contenders = with_looks([Contender(method(), extractor())], looks)
    banks = data.parent / "banks"
    found = compare_category(read_category(data, "can"), contenders, None, banks, lambda *_: None)
    name = method().name
    labels = [name, f"{name}, learned", f"{name}, auto", f"{name}, box"]
    rows = found.comparison.rows
    assert [row.preset for row in rows] == labels
    assert [row.fault for row in rows] == [None] * 4
    # Of 13 photos learnt from a trial proves nothing.
    assert [row.bank.look for row in rows if row.bank] == ["whole", "learned", "whole", "box"]
    tried = [[s.image for s in o.scored] for o in found.outcomes]
    assert all(images == tried[0] for images in tried)
    assert (banks / f"{name}+box{DRAWN}" / "can").is_dir()
    assert all([tile.preset for tile in one.tiles] == labels for one in found.shown)
    heads = columns(found.comparison)
    assert cells(rows[1], found.comparison)[heads.index("looks at")] == "learned"


def test_a_look_that_features_cannot_have_costs_that_row_alone(data: Path) -> None:
    looks = asked_looks(["whole", "learned"], None, None)
    contenders = with_looks([Contender(METHOD, colour_extractor())], looks)
    whole, learned = compare_category(
        read_category(data, "can"), contenders, None, data.parent / "banks", lambda *_: None
    ).comparison.rows
    assert whole.fault is None
    assert learned.fault
    assert "a learned look weighs places" in learned.fault

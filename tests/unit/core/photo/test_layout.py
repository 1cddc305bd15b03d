"""What people make of the folder layout: read where it is plain, told always."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from app.core.errors import NoTestSplit
from app.core.photo.dataset import Category, read_category, read_test_split
from app.core.photo.formats.kinds import FROM_PHONES, refusal


def put(base: Path, *names: str) -> None:
    for name in names:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def read(base: Path) -> Category:
    return read_category(base.parent, base.name)


def kinds(category: Category) -> Counter[str]:
    return Counter(image.defect_type for image in category.test)


@pytest.fixture
def can(tmp_path: Path) -> Path:
    put(tmp_path / "can", "train/good/a.png", "test/good/b.png", "test/dent/c.png")
    return tmp_path / "can"


@pytest.mark.parametrize("name", ["Good", "GOOD", "ok", "OK", "normal", "Normal"])
def test_folders_that_mean_good_are_read_and_told(tmp_path: Path, name: str) -> None:
    put(tmp_path / "can", f"train/{name}/a.png", f"test/{name}/b.png", "test/dent/c.png")
    category = read(tmp_path / "can")
    assert (len(category.train), kinds(category)) == (1, {"good": 1, "dent": 1})
    assert category.remarks == tuple(f"{p}/{name} is read as {p}/good" for p in ("train", "test"))


def test_the_usual_layout_has_no_remarks(can: Path) -> None:
    assert read(can).remarks == ()


def test_train_and_test_are_found_in_any_case(tmp_path: Path) -> None:
    put(tmp_path / "can", "Train/Good/a.png", "TEST/good/b.png", "TEST/dent/c.png")
    put(tmp_path / "can", "Ground_Truth/dent/c_mask.png")
    category = read(tmp_path / "can")
    assert (len(category.train), kinds(category)) == (1, {"good": 1, "dent": 1})
    assert [i.mask for i in category.test if i.is_defective] == [
        tmp_path / "can/Ground_Truth/dent/c_mask.png"
    ]


def test_ok_beside_good_is_good(can: Path) -> None:
    put(can, "test/ok/d.png", "test/OK/e.png")
    category = read(can)
    assert kinds(category) == {"good": 3, "dent": 1}
    assert "test/ok is read as test/good" in category.remarks


@pytest.mark.parametrize("name", ["good_2", "normal parts", "no_defect"])
def test_a_name_that_says_good_counts_as_defective_and_is_asked_about(can: Path, name: str) -> None:
    put(can, f"test/{name}/d.png")
    category = read(can)
    assert kinds(category)[name] == 1
    assert any(f"test/{name} counts as defective" in remark for remark in category.remarks)


def test_photos_directly_in_train_are_read_where_there_is_no_good(tmp_path: Path) -> None:
    put(tmp_path / "can", "train/a.png", "train/b.png", "test/good/c.png")
    category = read(tmp_path / "can")
    assert [p.name for p in category.train] == ["a.png", "b.png"]
    assert category.remarks == ("train has no folder good: its photos are read",)


def test_an_empty_good_is_none(tmp_path: Path) -> None:
    (tmp_path / "can/train/good").mkdir(parents=True)
    put(tmp_path / "can", "train/a.png")
    assert len(read(tmp_path / "can").train) == 1


def test_photos_beside_train_good_are_left_out_and_told(can: Path) -> None:
    put(can, "train/x.png")
    category = read(can)
    assert ([p.name for p in category.train], category.ignored) == (["a.png"], 1)
    assert category.remarks == ("1 file left out: 1 photos beside train/good",)


def test_other_folders_in_train_are_told(can: Path) -> None:
    put(can, "train/bad/x.png", "validation/good/y.png")
    category = read(can)
    assert len(category.train) == 1
    assert any("train: bad not read" in remark for remark in category.remarks)
    assert "folders that are not read: validation" in category.remarks


def test_photos_in_dated_folders_are_read(tmp_path: Path) -> None:
    put(tmp_path / "can", "train/good/2026-11-01/a.png", "train/good/2026-11-02/am/b.png")
    put(tmp_path / "can", "test/dent/2026-11-03/c.png", "test/good/d.png")
    category = read(tmp_path / "can")
    assert ([p.name for p in category.train], kinds(category)) == (
        ["a.png", "b.png"],
        {"dent": 1, "good": 1},
    )
    assert "train/good: 2 photos lie in folders below it, and count" in category.remarks


def test_dated_folders_directly_in_train_are_read(tmp_path: Path) -> None:
    put(tmp_path / "can", "train/2026-11-01/a.png", "train/rejects/b.png")
    category = read(tmp_path / "can")
    assert [p.name for p in category.train] == ["a.png"]
    assert any("rejects not read" in remark for remark in category.remarks)


def test_folders_below_that_contradict_are_not_read(can: Path) -> None:
    put(can, "train/good/bad/x.png", "test/sku_1/good/y.png", "test/sku_1/z.png")
    category = read(can)
    assert (len(category.train), kinds(category)) == (1, {"dent": 1, "good": 1, "sku_1": 1})
    for place, folder in (("train/good", "bad"), ("test/sku_1", "good")):
        assert any(
            r.startswith(f"{place}: the photos in its folder {folder} are not read")
            for r in category.remarks
        )


def test_thumbnails_that_systems_make_are_no_photos(can: Path) -> None:
    put(can, "train/good/@eaDir/a.png", "train/good/.thumbs/a.png", "train/good/__MACOSX/a.png")
    assert len(read(can).train) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_folder_linked_into_itself_is_read_once(can: Path) -> None:
    (can / "train/good/again").symlink_to(can / "train/good")
    assert [p.name for p in read(can).train] == ["a.png"]


def test_what_is_left_out_is_summed_up_by_kind(can: Path) -> None:
    put(can, *(f"train/good/IMG_{i}.XYZ" for i in range(12)), "train/good/notes.txt")
    put(can, "test/e.png", "train/good/.DS_Store", "train/good/bare", "test/dent/f.jp2")
    category = read(can)
    assert category.ignored == 17
    (told,) = category.remarks
    assert told.startswith("17 files left out: 12 .XYZ, ")
    for part in ("1 .txt", "1 hidden", "1 without an ending", "1 photos directly in test", ".jp2"):
        assert part in told
    assert "convert pictures to JPEG" in told


def test_a_category_of_unread_files_says_so_where_nothing_is_left(tmp_path: Path) -> None:
    put(tmp_path / "can", "train/good/a.jp2", "test/good/b.jp2", "test/dent/c.png")
    assert "2 files left out: 2 .jp2" in read(tmp_path / "can").without_training
    with pytest.raises(NoTestSplit, match=r"0 good and 1 defective.*2 \.jp2"):
        read_test_split(tmp_path, "can")


@pytest.mark.parametrize("name", ["a.jfif", "a.JFIF", "a.jpe", "a.pjpeg", "a.pjp"])
def test_other_endings_of_jpegs_are_read(can: Path, name: str) -> None:
    put(can, f"train/good/{name}")
    assert len(read(can).train) == 2


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode there")
def test_names_that_are_not_utf8_are_read_and_shown_escaped(can: Path) -> None:
    put(can, os.fsdecode(b"test/k\xf6r/M\xfcller.png"))
    (odd,) = [i for i in read(can).test if i.defect_type not in ("good", "dent")]
    assert (odd.defect_type, odd.name) == (r"k\xf6r", r"k\xf6r/M\xfcller.png")
    assert odd.path.exists()


def test_photos_of_phones_are_told_as_the_service_tells_them(can: Path) -> None:
    put(can, "train/good/IMG_1.HEIC", "train/good/e.png")
    (told,) = read(can).remarks
    assert str(refusal(b"\0\0\0\x18ftypheic\0\0\0\0", ())).endswith(FROM_PHONES)
    assert told == f"1 file left out: 1 .HEIC ({FROM_PHONES})"

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import DatasetError, NoTestSplit
from app.core.photo.dataset import (
    evenly,
    is_category_name,
    list_categories,
    read_category,
    read_test_split,
)
from tests.support import closed, write_category


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_training_images_are_sorted_by_name(tmp_path: Path) -> None:
    good = tmp_path / "can" / "train" / "good"
    touch(good / "b.png", good / "a.png", good / "c.png")
    assert [p.name for p in read_category(tmp_path, "can").train] == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.JPG", "a.jpeg", "a.png", "a.Png", "a.bmp", "a.webp", "a.tif", "a.TIFF"]
)
def test_image_extensions_count_in_any_case(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "can" / "train" / "good" / name)
    assert len(read_category(tmp_path, "can").train) == 1


@pytest.mark.parametrize("name", ["notes.txt", "Thumbs.db", "a.gif", "noextension", ".hidden.png"])
def test_other_files_are_ignored_and_counted(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "can" / "train" / "good" / name, tmp_path / "can" / "test" / "good" / name)
    category = read_category(tmp_path, "can")
    assert (category.train, category.test, category.ignored) == ((), (), 2)


def test_defect_types_are_the_test_folders(tmp_path: Path) -> None:
    write_category(tmp_path)
    found = [(i.defect_type, i.path.name) for i in read_category(tmp_path, "can").test]
    assert found == [
        ("blue_spot", "photo_000.png"),
        *[("good", f"photo_{i:03d}.png") for i in range(4)],
        ("red_spot", "photo_000.png"),
        ("red_spot", "photo_001.png"),
    ]


def test_only_good_is_not_defective(tmp_path: Path) -> None:
    write_category(tmp_path)
    defective = {i.defect_type for i in read_category(tmp_path, "can").test if i.is_defective}
    assert defective == {"red_spot", "blue_spot"}


@pytest.mark.parametrize("mask_name", ["007_mask.png", "007.png"])
def test_masks_are_found_by_either_name(tmp_path: Path, mask_name: str) -> None:
    mask = tmp_path / "can" / "ground_truth" / "dent" / mask_name
    touch(tmp_path / "can" / "test" / "dent" / "007.jpg", mask)
    assert read_category(tmp_path, "can").test[0].mask == mask


def test_an_image_without_a_mask_has_none(tmp_path: Path) -> None:
    touch(tmp_path / "can" / "test" / "dent" / "007.jpg")
    touch(tmp_path / "can" / "ground_truth" / "dent" / "008_mask.png")
    assert read_category(tmp_path, "can").test[0].mask is None


def test_a_test_split_that_cannot_be_read_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "can" / "test" / "dent" / "007.jpg")
    closed(monkeypatch, tmp_path / "can" / "test")
    with pytest.raises(NoTestSplit, match="cannot be read: Permission denied"):
        read_test_split(tmp_path, "can")


def test_what_is_missing_is_empty(tmp_path: Path) -> None:
    (tmp_path / "can").mkdir()
    category = read_category(tmp_path, "can")
    assert (category.train, category.test, category.ignored) == ((), (), 0)


@pytest.mark.parametrize("name", ["../can", "", ".", "a/b", "-can", "c" * 65, "can\n"])
def test_a_name_that_no_category_may_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="no category name"):
        read_category(tmp_path, name)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train/good"):
        read_category(tmp_path, "can")


@pytest.mark.parametrize(
    ("name", "valid"),
    [("drink_can", True), ("0-9", True), ("a" * 64, True), ("a" * 65, False), ("_a", False)],
)
def test_category_names(name: str, valid: bool) -> None:
    assert is_category_name(name) is valid


def test_categories_are_the_folders_with_photos(tmp_path: Path) -> None:
    touch(tmp_path / "can" / "train" / "good" / "a.png", tmp_path / "box" / "test" / "x" / "a.png")
    touch(tmp_path / "notes" / "readme.txt", tmp_path / "Food Box" / "test" / "good" / "a.png")
    assert list_categories(tmp_path) == ["box", "can", "food_box"]


def test_wanted_categories_keep_their_order_once(tmp_path: Path) -> None:
    touch(tmp_path / "can" / "train" / "good" / "a.png", tmp_path / "box" / "test" / "x" / "a.png")
    assert list_categories(tmp_path, wanted=["can", "box", "can"]) == ["can", "box"]


def test_a_wanted_category_that_is_missing_is_named_beside_those_there_are(tmp_path: Path) -> None:
    touch(tmp_path / "can" / "train" / "good" / "a.png")
    with pytest.raises(DatasetError, match=r"box.*there are can"):
        list_categories(tmp_path, wanted=["box"])


@pytest.mark.parametrize("there", [True, False])
def test_a_root_without_categories_is_an_error(tmp_path: Path, there: bool) -> None:
    with pytest.raises(DatasetError):
        list_categories(tmp_path if there else tmp_path / "absent")


def test_a_test_split_needs_both_labels(tmp_path: Path) -> None:
    touch(tmp_path / "can" / "test" / "good" / "a.png")
    with pytest.raises(NoTestSplit, match="1 good and 0 defective"):
        read_test_split(tmp_path, "can")
    touch(tmp_path / "can" / "test" / "dent" / "a.png")
    assert len(read_test_split(tmp_path, "can").test) == 2


def test_no_folder_is_no_test_split(tmp_path: Path) -> None:
    with pytest.raises(NoTestSplit, match="can"):
        read_test_split(tmp_path, "can")


@pytest.mark.parametrize(("n", "limit"), [(0, 3), (2, 3), (3, 3), (10, 3), (1000, 300)])
def test_the_sample_is_even_and_has_no_repeats(n: int, limit: int) -> None:
    kept = evenly(range(n), limit)
    assert len(set(kept)) == len(kept) == min(n, limit)
    assert kept == sorted(kept)


def test_items_are_taken_evenly_over_their_order() -> None:
    assert evenly(range(10), 3) == [0, 3, 6]
    assert evenly(range(3), None) == [0, 1, 2]


def test_the_data_folder_may_be_given_as_text(tmp_path: Path) -> None:
    write_category(tmp_path)
    assert read_category(str(tmp_path), "can") == read_category(tmp_path, "can")
    assert read_test_split(str(tmp_path), "can") == read_test_split(tmp_path, "can")
    with pytest.raises(DatasetError):
        read_category(str(tmp_path / "absent"), "can")

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import DatasetError
from app.core.photo.category_folders import find, survey
from app.core.photo.dataset import list_categories, read_category, read_test_split
from tests.support import closed


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def laid_out(root: Path, *folders: str) -> None:
    for folder in folders:
        put(root / folder / "train/good/a.png", root / folder / "test/good/b.png")
        put(root / folder / "test/dent/c.png")


def test_a_category_is_wanted_by_any_name_that_stands_for_it(tmp_path: Path) -> None:
    laid_out(tmp_path, "drink_can")
    assert list_categories(tmp_path, wanted=["Drink Can"]) == ["drink_can"]
    with pytest.raises(DatasetError, match=r"no category Food Box .*; there are drink_can"):
        list_categories(tmp_path, wanted=["Food Box"])


@pytest.mark.parametrize("name", ["Drink Can", "drink_can"])
def test_a_category_goes_by_its_own_name_and_by_its_folders(tmp_path: Path, name: str) -> None:
    laid_out(tmp_path, "Drink Can")
    assert list_categories(tmp_path, wanted=[name]) == ["drink_can"]
    for category in (read_category(tmp_path, name), read_test_split(tmp_path, name)):
        assert (category.name, category.folder, len(category.train)) == (
            "drink_can",
            "Drink Can",
            1,
        )
        assert category.remarks == ("the folder Drink Can is read as drink_can",)


def test_a_folder_of_the_categorys_own_name_is_it_and_the_other_is_refused(tmp_path: Path) -> None:
    laid_out(tmp_path, "food_box", "Food_Box")
    seen = survey(tmp_path)
    assert seen.folders == {"food_box": tmp_path / "food_box"}
    assert "would be food_box, as that of food_box" in seen.refused["Food_Box"]
    assert find(tmp_path, "food_box") == tmp_path / "food_box"
    for ask in (find, lambda root, name: list_categories(root, wanted=[name])):
        with pytest.raises(DatasetError, match="Food_Box: its category would be food_box"):
            ask(tmp_path, "Food_Box")


def test_two_folders_that_would_be_one_category_are_both_refused(tmp_path: Path) -> None:
    laid_out(tmp_path, "Food Box", "Food_Box", "can")
    seen = survey(tmp_path)
    assert list(seen.folders) == ["can"]
    assert set(seen.refused) == {"Food Box", "Food_Box"}
    with pytest.raises(DatasetError, match="Food_Box"):
        read_category(tmp_path, "food_box")


def test_a_dash_and_an_underscore_are_two_categories(tmp_path: Path) -> None:
    laid_out(tmp_path, "Drink Can", "drink-can")
    assert list_categories(tmp_path) == ["drink-can", "drink_can"]


def test_folders_without_photos_do_not_rival(tmp_path: Path) -> None:
    laid_out(tmp_path, "Food_Box")
    put(tmp_path / "Food Box" / "notes.txt", tmp_path / "notes" / "a.txt")
    seen = survey(tmp_path)
    assert (list(seen.folders), seen.refused) == (["food_box"], {})
    assert seen.others == ("Food Box", "notes")


def test_where_nothing_can_be_read_it_is_said_why(tmp_path: Path) -> None:
    laid_out(tmp_path, "饮料")
    with pytest.raises(DatasetError, match=r"饮料: its name has 饮料.*rename"):
        list_categories(tmp_path)


def test_folders_of_another_layout_are_named_where_there_is_no_other(tmp_path: Path) -> None:
    put(tmp_path / "can/good/a.png", tmp_path / "box/b.png")
    with pytest.raises(DatasetError, match=r"expected .*; there is no train and no test in box, c"):
        list_categories(tmp_path)


def test_a_folder_that_cannot_be_listed_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid_out(tmp_path, "can", "box")
    closed(monkeypatch, tmp_path / "box")
    seen = survey(tmp_path)
    assert list(seen.folders) == ["can"]
    assert seen.refused == {"box": "the folder cannot be read: Permission denied"}


def test_the_folder_of_one_category_is_recognised(tmp_path: Path) -> None:
    laid_out(tmp_path, "can")
    with pytest.raises(DatasetError, match=r"one category's folder.*--category can"):
        list_categories(tmp_path / "can")


@pytest.mark.parametrize("name", ["../can", "can/..", ".", "..", "", "/", "can\n"])
def test_no_name_leads_out_of_the_data_folder(tmp_path: Path, name: str) -> None:
    laid_out(tmp_path / "data", "box")
    laid_out(tmp_path, "can")
    with pytest.raises(DatasetError):
        find(tmp_path / "data", name)


@pytest.mark.parametrize("name", [".git", "@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN"])
def test_what_systems_make_by_themselves_is_no_category(tmp_path: Path, name: str) -> None:
    laid_out(tmp_path, name, "can")
    seen = survey(tmp_path)
    assert (list(seen.folders), seen.refused, seen.others) == (["can"], {}, ())


def test_folders_that_people_name_so_are_read(tmp_path: Path) -> None:
    laid_out(tmp_path, "#12 box", "can")
    seen = survey(tmp_path)
    assert "can" in seen.folders
    assert [f.name for f in seen.folders.values() if f.name != "can"] or "#12 box" in seen.refused

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import DatasetError
from app.core.photo.data_root import why_no_data
from app.core.photo.dataset import list_categories


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "can" / "train" / "good").mkdir(parents=True)
    (tmp_path / "data" / "can" / "test" / "good").mkdir(parents=True)
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (".", "the categories lie one level down: give {data}, not {given}"),
        ("data/can", "{given} is one category's folder, not the folder of all: give {data}"),
        ("data/can/train", "{given} is a part of the category can, not the folder of all"),
        ("data/can/train/good", "{given} is a part of the category can, not the folder of all"),
        ("dta", "no data folder at {given}: it does not exist"),
        ("file", "no data folder at {given}: it is a file"),
    ],
)
@pytest.mark.parametrize("wanted", [None, ["can"]])
def test_a_folder_that_is_none_says_which_was_meant(
    data: Path, given: str, told: str, wanted: list[str] | None
) -> None:
    (data.parent / "file").write_text("")
    folder = data.parent / given
    with pytest.raises(DatasetError) as caught:
        list_categories(folder, wanted=wanted)
    assert str(caught.value).startswith(told.format(data=data, given=folder))


@pytest.mark.parametrize("name", ["data", "test", "train"])
def test_a_data_folder_may_have_any_name(data: Path, name: str) -> None:
    root = data.rename(data.parent / name)
    assert why_no_data(root) is None
    assert list_categories(root) == ["can"]


def test_a_folder_with_nothing_like_it_nearby_stays_unexplained(tmp_path: Path) -> None:
    (tmp_path / "photos" / "2026").mkdir(parents=True)
    assert why_no_data(tmp_path) is None

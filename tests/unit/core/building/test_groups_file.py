from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from app.core.building.build import build_bank
from app.core.building.groups_file import GroupsFile
from app.core.errors import DatasetError
from app.core.photo.dataset import read_category
from tests.support import METHOD, colour_extractor, write_category

PHOTOS = [Path(f"can/train/good/{name}") for name in ("000.png", "001.png", "café.png")]


def groups_file(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "groups.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_names_that_fit_no_photo_are_told(tmp_path: Path) -> None:
    text = "000.png,a\n0O2.png,a\ngood/001.png,b\nbad/001.png,b\n"
    groups = GroupsFile.read(groups_file(tmp_path, text))
    assert list(groups.remarks(PHOTOS)) == [
        "groups.csv names 2 that fit no photo: 0O2.png, bad/001.png"
    ]


def test_where_all_fit_nothing_is_told(tmp_path: Path) -> None:
    groups = GroupsFile.read(groups_file(tmp_path, "000.png,a\ngood/001.png,b\n"))
    assert list(groups.remarks(PHOTOS)) == []


@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_accents_are_the_same_however_they_are_written(
    tmp_path: Path, written: str, stored: str
) -> None:
    text = unicodedata.normalize(written, "café.png,a\n")  # type: ignore[arg-type]
    path = Path(unicodedata.normalize(stored, "good/café.png"))  # type: ignore[arg-type]
    groups = GroupsFile.read(groups_file(tmp_path, text))
    assert groups.groups_of([[path]])[0] == ["group a"]
    assert list(groups.remarks([path])) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(DatasetError, match="save it as CSV in UTF-8"):
        GroupsFile.read(groups_file(tmp_path, "000.png,a\n", encoding))


def test_a_build_tells_them(tmp_path: Path) -> None:
    write_category(tmp_path)
    category = read_category(tmp_path, "can")
    lines = "".join(f"{path.name},{n % 3}\n" for n, path in enumerate(category.train))
    groups = GroupsFile.read(groups_file(tmp_path, lines + "0O2.png,1\n"))
    build = build_bank(category, METHOD, colour_extractor(), groups=groups)
    assert "groups.csv names 1 that fit no photo: 0O2.png" in build.warnings

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.photo.dataset import Category, read_category


def put(base: Path, *names: str) -> None:
    for name in names:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def masks(base: Path) -> dict[str, str | None]:
    """Photo -> its mask, both below their types' folders."""
    root = base / "ground_truth" / "dent"
    return {
        i.path.relative_to(base / "test/dent").as_posix(): (
            i.mask.relative_to(root).as_posix() if i.mask else None
        )
        for i in read(base).test
    }


def read(base: Path) -> Category:
    return read_category(base.parent, base.name)


@pytest.mark.parametrize(
    "name",
    [
        "007_mask.png", "007.png", "007_mask.PNG", "007_MASK.png", "007_mask.jpg", "007.bmp",
        "007_mask.tif", "007-mask.png", "007_gt.png", "007.webp",
    ],
)  # fmt: skip
def test_masks_of_any_name_and_format(tmp_path: Path, name: str) -> None:
    put(tmp_path / "can", "test/dent/007.jpg", f"ground_truth/dent/{name}")
    assert masks(tmp_path / "can") == {"007.jpg": name}


def test_a_folder_of_the_photos_name_is_its_mask(tmp_path: Path) -> None:
    put(tmp_path / "can", "test/dent/007.png", "test/dent/008.png")
    put(tmp_path / "can", "ground_truth/dent/007/000.png", "ground_truth/dent/007/001.png")
    assert masks(tmp_path / "can") == {"007.png": "007", "008.png": None}
    assert read(tmp_path / "can").remarks == ()


def test_letters_of_another_case_are_no_other_photo(tmp_path: Path) -> None:
    put(tmp_path / "can", "test/dent/IMG_1.JPG", "ground_truth/dent/img_1_Mask.png")
    assert masks(tmp_path / "can") == {"IMG_1.JPG": "img_1_Mask.png"}


def test_two_photos_that_differ_in_case_alone_take_the_exact_name(tmp_path: Path) -> None:
    put(tmp_path / "can", "test/dent/A.png", "test/dent/a.png", "ground_truth/dent/A_mask.png")
    if len(list((tmp_path / "can/test/dent").iterdir())) == 1:
        pytest.skip("this file system tells no case")
    assert masks(tmp_path / "can") == {"A.png": "A_mask.png", "a.png": None}


def test_a_png_is_taken_before_a_jpeg_and_a_named_mask_before_a_bare_stem(tmp_path: Path) -> None:
    put(tmp_path / "can", "test/dent/1.png", "test/dent/2.png")
    put(tmp_path / "can", "ground_truth/dent/1_mask.jpg", "ground_truth/dent/1_mask.png")
    put(tmp_path / "can", "ground_truth/dent/2.png", "ground_truth/dent/2_mask.jpg")
    assert masks(tmp_path / "can") == {"1.png": "1_mask.png", "2.png": "2_mask.jpg"}


def test_photos_in_folders_find_masks_in_the_same_or_directly(tmp_path: Path) -> None:
    put(tmp_path / "can", "test/dent/d1/1.png", "test/dent/d2/1.png", "test/dent/d2/2.png")
    put(tmp_path / "can", "ground_truth/dent/d1/1_mask.png", "ground_truth/dent/1_mask.png")
    put(tmp_path / "can", "ground_truth/dent/2_mask.png")
    assert masks(tmp_path / "can") == {
        "d1/1.png": "d1/1_mask.png",
        "d2/1.png": None,  # 1_mask.png could be either's
        "d2/2.png": "2_mask.png",
    }


def test_masks_without_a_photo_are_told(tmp_path: Path) -> None:
    put(tmp_path / "can", "test/dent/1.png", "ground_truth/dent/1_mask.png")
    put(tmp_path / "can", "ground_truth/dent/9_mask.png", "ground_truth/hole/1_mask.png")
    assert read(tmp_path / "can").remarks == (
        "dent: 1 masks have no photo of their name: 9_mask.png",
        "masks of no defect type: hole",
    )

"""Cropped copies of a category's photos and masks, so that methods that know no look get the same
region of interest as ours."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from app.core.photo.dataset import Category, read_test_split
from app.core.photo.look import Shares

SUFFIX = "_cropped"


def cropped(category: Category, box: Shares, folder: Path) -> Category:
    """The category as `<name>_cropped` below the folder, written where it is not there yet.

    Args:
        box: left, top, right, bottom in shares of the photo.
    """
    name = category.name + SUFFIX
    root = folder / name
    if not root.is_dir():
        beside = folder / f".{name}"
        for path in category.train:
            _crop(path, beside / "train" / "good" / f"{path.stem}.png", box)
        for image in category.test:
            kind = image.path.parent.name
            _crop(image.path, beside / "test" / kind / f"{image.path.stem}.png", box)
            if image.mask is not None:
                _crop(image.mask, beside / "ground_truth" / kind / f"{image.path.stem}.png", box)
        beside.rename(root)
    return read_test_split(folder, name)


def _crop(source: Path, target: Path, box: Shares) -> None:
    if target.is_file():  # of a run that ended early
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        left, top, right, bottom = box
        width, height = image.size
        first = round(left * width), round(top * height)
        last = round(right * width), round(bottom * height)
        image.crop((*first, *last)).save(target)

"""The folder layout of MVTec AD and PKU-GoodsAD, read as it is.

ROOT/<category>/train/good/*
ROOT/<category>/test/good/*
ROOT/<category>/test/<defect type>/*
ROOT/<category>/ground_truth/<defect type>/<stem>[_mask].png
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import DatasetError, NoTestSplit
from .data_root import why_no_data
from .images import EXTENSIONS

CATEGORY_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"
GOOD = "good"

T = TypeVar("T")

_SIX_DIGITS = re.compile(r"\d{6}")


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A test image: `defect_type` is "good" for good ones; `mask` marks the defect's pixels."""

    path: Path
    defect_type: str
    mask: Path | None = None

    @property
    def is_defective(self) -> bool:
        return self.defect_type != GOOD


@dataclass(frozen=True)
class Category:
    """One kind of goods on disk.

    Attributes:
        train: good images, sorted by name.
        test: sorted by defect type, then name.
        ignored: files that are no images by their extension.
    """

    name: str
    train: tuple[Path, ...]
    test: tuple[LabelledImage, ...]
    ignored: int


def is_category_name(name: str) -> bool:
    """Whether `name` may be a category (`[a-z0-9][a-z0-9_-]{0,63}`)."""
    return re.fullmatch(CATEGORY_PATTERN, name) is not None


def read_category(root: Path, name: str) -> Category:
    """Read one category's folders; what is missing is empty.

    Raises:
        DatasetError: no such folder, or a name that no category may have.
    """
    folder = root / name
    if not is_category_name(name):
        raise DatasetError(f"{name!r} is no category name: use [a-z0-9_-], at most 64 characters")
    if not folder.is_dir():
        raise DatasetError(f"no folder {name} in {root}; expected {root}/{name}/train/good/*")
    train, ignored = _images(folder / "train" / GOOD)
    test: list[LabelledImage] = []
    for defect_type in _folders(folder / "test"):
        paths, others = _images(defect_type)
        ignored += others
        masks = folder / "ground_truth" / defect_type.name
        test.extend(LabelledImage(p, defect_type.name, _mask(masks, p)) for p in paths)
    return Category(name=name, train=tuple(train), test=tuple(test), ignored=ignored)


def read_test_split(root: Path, name: str) -> Category:
    """Read a category and insist on good and defective test images.

    Raises:
        NoTestSplit: no folder, or only one of the two labels in it.
    """
    try:
        category = read_category(root, name)
    except DatasetError as exc:
        raise NoTestSplit(f"no test split is stored for {name}") from exc
    except OSError as exc:
        raise NoTestSplit(f"the test split of {name} cannot be read: {exc.strerror}") from exc
    defective = sum(image.is_defective for image in category.test)
    if not 0 < defective < len(category.test):
        raise NoTestSplit(
            f"the test split of {name} has {len(category.test) - defective} good and {defective} "
            "defective images; both are needed, in test/good and test/<defect type>"
        )
    return category


def list_categories(root: Path, *, wanted: Sequence[str] | None = None) -> list[str]:
    """Names of the categories below `root` that have a `train/good` or a `test` folder.

    Raises:
        DatasetError: no such root, a wanted category that is not there, or none at all.
    """
    if not root.is_dir():
        raise DatasetError(why_no_data(root) or f"no data folder at {root}")
    found = [
        folder.name
        for folder in _folders(root)
        if is_category_name(folder.name)
        and ((folder / "train" / GOOD).is_dir() or (folder / "test").is_dir())
    ]
    if not found and (reason := why_no_data(root)):
        raise DatasetError(reason)
    if wanted:
        if missing := [name for name in wanted if name not in found]:
            raise DatasetError(
                f"no category {', '.join(missing)} in {root}; "
                f"there are {', '.join(found) or 'none'}"
            )
        return list(dict.fromkeys(wanted))
    if not found:
        raise DatasetError(f"no category in {root}; expected {root}/<category>/train/good/*")
    return found


def evenly(items: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` of the items, evenly over their order: the same ones every time."""
    kept = len(items) if limit is None else min(len(items), limit)
    return [items[i * len(items) // kept] for i in range(kept)]


def groups(paths: Iterable[Path]) -> list[str]:
    """Name of the group each image belongs to: near copies that a split must keep together.

    PKU-GoodsAD names its files by six digits, the first three the SKU. Where every file is named
    so and there are several SKUs, the SKU is the group; else each image is a group of its own.
    """
    stems = [path.stem for path in paths]
    if all(_SIX_DIGITS.fullmatch(stem) for stem in stems):
        skus = [stem[:3] for stem in stems]
        if len(set(skus)) > 1:
            return skus
    return stems


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _images(folder: Path) -> tuple[list[Path], int]:
    """The folder's image files by extension, sorted, and how many other files lie there."""
    if not folder.is_dir():
        return [], 0
    files = sorted(p for p in folder.iterdir() if p.is_file())
    images = [p for p in files if p.suffix.lower() in EXTENSIONS and not p.name.startswith(".")]
    return images, len(files) - len(images)


def _mask(folder: Path, image: Path) -> Path | None:
    for name in (f"{image.stem}_mask.png", f"{image.stem}.png"):
        if (folder / name).is_file():
            return folder / name
    return None

"""The folder layout of MVTec AD and PKU-GoodsAD, and what people make of it.

ROOT/<category>/train/good/*
ROOT/<category>/test/good/*
ROOT/<category>/test/<defect type>/*
ROOT/<category>/ground_truth/<defect type>/<stem>[_mask].png

Read as well, and told in `Category.remarks`: folder names in any case, `ok` and `normal` for
`good`, photos in folders below these, photos directly in `train` where it has no folder of good
ones, a category whose folder has a name that no category may have, and masks as `mask_files.py`
says. What could mean two things is not read, and told, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeVar

from ..errors import DatasetError, NoTestSplit
from ..files import shown
from .category_folders import find, survey
from .category_names import CATEGORY_PATTERN, is_category_name, made_name
from .labels import GOOD, LabelledImage
from .layout import read_layout

__all__ = [
    "CATEGORY_PATTERN",
    "GOOD",
    "Category",
    "LabelledImage",
    "evenly",
    "is_category_name",
    "list_categories",
    "read_as",
    "read_category",
    "read_test_split",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Category:
    """One kind of goods on disk.

    Attributes:
        train: good images, sorted by name.
        test: sorted by defect type, then name.
        ignored: how many files were left out.
        folder: its folder's name, as it can be shown.
        remarks: what a person should know of how the folder was read: a sentence each.
    """

    name: str
    train: tuple[Path, ...]
    test: tuple[LabelledImage, ...]
    ignored: int
    folder: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def without_training(self) -> str:
        """Why nothing can be learnt, where `train` is empty."""
        more = "".join(f"; {remark}" for remark in self.remarks)
        return f"no images in {self.folder or self.name}/train/good{more}"


def read_category(root: str | PathLike[str], name: str) -> Category:
    """Read one category's folders; what is missing is empty.

    Args:
        name: the category's, or its folder's.

    Raises:
        DatasetError: no such folder, or a name that no category may have.
        OSError: a folder cannot be read.
    """
    folder = find(Path(root), name)
    category = made_name(folder.name)
    layout = read_layout(folder)
    named = [f"the folder {shown(folder.name)} is read as {category}"]
    return Category(
        name=category,
        train=tuple(layout.train),
        test=tuple(layout.test),
        ignored=layout.left_out.total(),
        folder=shown(folder.name),
        remarks=(*(named if category != folder.name else []), *layout.remarks),
    )


def read_test_split(root: str | PathLike[str], name: str) -> Category:
    """Read a category and insist on good and defective test images.

    Raises:
        NoTestSplit: no folder, or only one of the two labels in it.
    """
    try:
        category = read_category(root, name)
    except DatasetError as exc:
        raise NoTestSplit(f"no test split is stored for {shown(name)}") from exc
    except OSError as exc:
        reason = f"cannot be read: {exc.strerror}"
        raise NoTestSplit(f"the test split of {shown(name)} {reason}") from exc
    defective = sum(image.is_defective for image in category.test)
    if not 0 < defective < len(category.test):
        more = "".join(f"; {remark}" for remark in category.remarks)
        raise NoTestSplit(
            f"the test split of {category.name} has {len(category.test) - defective} good and "
            f"{defective} defective images; both are needed, in test/good and "
            f"test/<defect type>{more}"
        )
    return category


def list_categories(root: Path, *, wanted: Sequence[str] | None = None) -> list[str]:
    """Names of the categories below `root` that have a `train` or a `test` folder.

    Args:
        wanted: categories, by their own names or by those of their folders.

    Raises:
        DatasetError: no such root, a wanted category that is not there, or none at all.
    """
    seen = survey(root)
    if wanted:
        return list(dict.fromkeys(seen.category(name) for name in wanted))
    if not seen.folders:
        raise DatasetError(seen.nothing())
    return list(seen.folders)


def read_as(category: str, folder: str) -> str:
    """For tables: a category, and its folder where that is named otherwise."""
    return category if folder in ("", category) else f"{category} (read from {folder})"


def evenly(items: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` of the items, evenly over their order: the same ones every time."""
    kept = len(items) if limit is None else min(len(items), limit)
    return [items[i * len(items) // kept] for i in range(kept)]

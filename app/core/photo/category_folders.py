"""Which folders of a data folder are categories, under which names, and why others are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError
from ..files import shown
from .category_names import among, is_category_name, made_name
from .data_root import why_no_data
from .listing import few, folders

_PARTS = ("train", "test")


@dataclass(frozen=True)
class Survey:
    """What lies in a data folder.

    Attributes:
        folders: category -> its folder, by name.
        refused: folder that is laid out like a category -> why it is not read.
        others: folders that are not laid out so.
    """

    root: Path
    folders: Mapping[str, Path]
    refused: Mapping[str, str]
    others: tuple[str, ...]

    def category(self, name: str) -> str:
        """The category that a person means by its own or by its folder's name.

        Raises:
            DatasetError: there is none, or it is not read.
        """
        for category, folder in self.folders.items():
            if name in (category, folder.name):
                return category
        if shown(name) in self.refused:
            raise DatasetError(f"{shown(name)}: {self.refused[shown(name)]}")
        if (meant := among(name, self.folders)) is not None:
            return meant
        if not self.folders and (reason := why_no_data(self.root)):
            raise DatasetError(shown(reason))
        raise DatasetError(
            f"no category {shown(name)} in {shown(self.root)}; "
            f"there are {', '.join(self.folders) or 'none'}{self._faults()}"
        )

    def nothing(self) -> str:
        """Why there is no category."""
        if reason := why_no_data(self.root):
            return f"{shown(reason)}{self._faults()}"
        here = shown(self.root)
        others = f"; there is no train and no test in {few(self.others)}" if self.others else ""
        expected = f"expected {here}/<category>/train/good/*"
        return f"no category in {here}; {expected}{others}{self._faults()}"

    def _faults(self) -> str:
        return "".join(f"; {name}: {why}" for name, why in self.refused.items())


def survey(root: Path) -> Survey:
    """Look at every folder of a data folder.

    Raises:
        DatasetError: there is no such folder, or it cannot be read.
    """
    if not root.is_dir():
        raise DatasetError(shown(why_no_data(root) or f"no data folder at {root}"))
    by_name: dict[str, list[Path]] = defaultdict(list)
    refused: dict[str, str] = {}
    others: list[str] = []
    for folder in _folders_of(root):
        name = shown(folder.name)
        try:
            if not any(inner.name.casefold() in _PARTS for inner in folders(folder)):
                others.append(name)
                continue
            by_name[made_name(folder.name)].append(folder)
        except OSError as exc:
            refused[name] = f"the folder cannot be read: {exc.strerror}"
        except DatasetError as exc:
            refused[name] = f"{exc}; rename the folder"
    found: dict[str, Path] = {}
    for category, those in sorted(by_name.items()):
        # A folder that has the category's own name is it; two made names are anybody's guess.
        own = [f for f in those if f.name == category] or (those if len(those) == 1 else [])
        found.update((category, folder) for folder in own)
        for folder in (f for f in those if f not in own):
            rivals = few(shown(f.name) for f in those if f != folder)
            refused[shown(folder.name)] = (
                f"its category would be {category}, as that of {rivals}; rename the folder"
            )
    return Survey(root, found, refused, tuple(others))


def find(root: Path, name: str) -> Path:
    """The folder of a category, by its own name or by its folder's.

    Raises:
        DatasetError: there is none, or it is not read.
    """
    if is_category_name(name) and (root / name).is_dir():
        return root / name
    seen = survey(root)
    if name in {folder.name for folder in _folders_of(root)}:
        return seen.folders[seen.category(name)]
    if not is_category_name(name):
        raise DatasetError(
            f"{shown(name)!r} is no category name, nor that of a folder in {shown(root)}: "
            "use [a-z0-9_-], at most 64 characters"
        )
    if name in seen.folders:
        return seen.folders[name]
    faults = [f"; {folder}: {why}" for folder, why in seen.refused.items()]
    raise DatasetError(
        f"no folder {name} in {shown(root)}; expected {shown(root)}/{name}/train/good/*"
        f"{''.join(faults)}"
    )


def _folders_of(root: Path) -> list[Path]:
    try:
        return folders(root)
    except OSError as exc:
        raise DatasetError(f"{shown(root)} cannot be read: {exc.strerror}") from exc

"""Groups that the user gives: a CSV of file name (or relative path) and group."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import DatasetError
from ..files import shown
from ..photo.listing import few

_HEAD = 4096
_HEADS = {"file", "filename", "file name", "name", "path", "photo", "image"}


@dataclass(frozen=True)
class GroupsFile:
    """A read file.

    Attributes:
        groups: file name or the end of a path, such as `2026-11-01/a.png` -> group.
    """

    path: Path
    groups: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> GroupsFile:
        """Lines `file,group`; a head line and empty lines are passed over.

        Raises:
            DatasetError: it cannot be read, or a line (which is named) makes no sense.
        """
        groups: dict[str, str] = {}
        try:
            with path.open("rb") as file:
                if b"\0" in file.read(_HEAD):  # every second byte of what some spreadsheets write
                    raise DatasetError(f"{path} is no UTF-8 text: save it as CSV in UTF-8")
            # Names are bytes: those that are not UTF-8 come back as they are on the disk.
            with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
                rows = csv.reader(lines, strict=True)
                for row in rows:
                    _take(row, f"{path}, line {rows.line_num}", groups)
        except OSError as exc:
            raise DatasetError(
                f"--groups {path}: {exc.strerror}; give auto, sku, none or a CSV of file name "
                "and group"
            ) from exc
        except csv.Error as exc:
            raise DatasetError(f"{path}, line {rows.line_num}: no CSV: {exc}") from exc
        if not groups:
            raise DatasetError(f"{path} names no photo: write lines of file name and group")
        return cls(path, groups)

    def groups_of(self, paths: Sequence[Path]) -> tuple[list[str], str]:
        """Each photo's group, and half a sentence on how many the file names. A photo that it does
        not name is a group of its own.

        Raises:
            DatasetError: it names none of them.
        """
        found = [self._group(path) for path in paths]
        missing = found.count(None)
        if missing == len(paths):
            example = "/".join(paths[0].parts[-2:])
            raise DatasetError(
                f"{self.path} names none of the {len(paths)} photos: write them as "
                f"{paths[0].name} or {example}"
            )
        names = [
            f"photo {path.as_posix()}" if given is None else f"group {given}"
            for path, given in zip(paths, found, strict=True)
        ]
        why = f"{self.path.name} names {len(paths) - missing} of them"
        return names, why + ("; each other one is a group of its own" if missing else "")

    def remarks(self, paths: Iterable[Path]) -> Iterator[str]:
        """A sentence on what the file names and is none of the photos: a misspelt name, mostly."""
        ends = {end for path in paths for end in _ends(path)}
        if strangers := [name for name in self.groups if name not in ends]:
            names = few(map(shown, strangers))
            yield f"{self.path.name} names {len(strangers)} that fit no photo: {names}"

    def _group(self, path: Path) -> str | None:
        """By the longest end of its path that the file names."""
        return next((self.groups[end] for end in _ends(path) if end in self.groups), None)


def _ends(path: Path) -> Iterator[str]:
    """From the whole path to the name alone; an accent may be stored as a letter of its own."""
    parts = [unicodedata.normalize("NFC", part) for part in path.parts]
    return ("/".join(parts[start:]) for start in range(len(parts)))


def _take(row: list[str], place: str, groups: dict[str, str]) -> None:
    cells = [cell.strip() for cell in row]
    if not any(cells):
        return
    if len(cells) != 2 or not all(cells):
        raise DatasetError(f"{place}: expected a file name and a group, found {','.join(row)!r}")
    name, group = str(PurePosixPath(cells[0].replace("\\", "/"))), cells[1]
    name = unicodedata.normalize("NFC", name)
    if not groups and name.lower() in _HEADS:
        return
    if groups.setdefault(name, group) != group:
        raise DatasetError(f"{place}: {name} is in two groups, {groups[name]} and {group}")

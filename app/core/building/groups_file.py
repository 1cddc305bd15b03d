"""Groups that the user gives: a CSV of file name (or relative path) and group.

    file,group            a head line, which may be missing
    000001.jpg,crate 7
    day 2/a.jpg,crate 8   the end of a path, where two folders hold one name

Cells are separated by commas, or by semicolons or tabs, as spreadsheets write them: by what the
first line holds.
"""

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
            with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
                lines = list(text)
            first = next((line for line in lines if line.strip()), "")
            rows = csv.reader(lines, strict=True, delimiter=_separator(first))
            for row in rows:
                _take(row, f"{path}, line {rows.line_num}", groups)
        except OSError as exc:
            raise DatasetError(
                f"--groups {path}: give auto, visit, sku, none or a CSV file that exists, with "
                f"lines of file name and group ({exc.strerror})"
            ) from exc
        except csv.Error as exc:
            raise DatasetError(f"{path}, line {rows.line_num}: no CSV: {exc}") from exc
        if not groups:
            raise DatasetError(f"{path} names no photo: write lines of file name and group")
        return cls(path, groups)

    def groups_of(self, photos: Sequence[Sequence[Path]]) -> tuple[list[str], str]:
        """Each photo's group, and half a sentence on how many the file names. A photo that it does
        not name is a group of its own.

        Args:
            photos: of each all files that show it; the first one that is named tells its group.

        Raises:
            DatasetError: it names none of them.
        """
        found = [next(filter(None, map(self._group, files)), None) for files in photos]
        missing = found.count(None)
        if missing == len(photos):
            path = photos[0][0]
            raise DatasetError(
                f"{self.path} names none of the {len(photos)} photos: write lines as "
                f"{path.name},group or {'/'.join(path.parts[-2:])},group"
            )
        names = [
            f"photo {files[0].as_posix()}" if given is None else f"group {given}"
            for files, given in zip(photos, found, strict=True)
        ]
        why = f"{self.path.name} names {len(photos) - missing} of them"
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


def _separator(line: str) -> str:
    return next((mark for mark in (",", ";", "\t") if mark in line), ",")


def _take(row: list[str], place: str, groups: dict[str, str]) -> None:
    cells = [cell.strip() for cell in row]
    if not any(cells):
        return
    if len(cells) != 2 or not all(cells):
        raise DatasetError(
            f"{place}: expected a file name and a group, separated by a comma, found "
            f"{','.join(row)!r}"
        )
    name, group = str(PurePosixPath(cells[0].replace("\\", "/"))), cells[1]
    name = unicodedata.normalize("NFC", name)
    if not groups and name.lower() in _HEADS:
        return
    if groups.setdefault(name, group) != group:
        raise DatasetError(f"{place}: {name} is in two groups, {groups[name]} and {group}")

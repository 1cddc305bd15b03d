"""Test photos that the bank may have learnt from: the same file lies in train/good, too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..files import shown
from ..photo.listing import few


def in_both(train: Iterable[Path], test: Iterable[Path]) -> list[Path]:
    """The test photos whose bytes are those of a training photo, in order.

    Sizes are compared first, so that few files are read. What cannot be read counts as different.
    """
    tested, trained = ({path: _size(path) for path in paths} for paths in (test, train))
    shared = set(tested.values()) & set(trained.values()) - {0}
    learnt = {_digest(path) for path, size in trained.items() if size in shared} - {None}
    alike = [path for path, size in tested.items() if size in shared]
    return [path for path in alike if _digest(path) in learnt]


def remark(leaked: Iterable[Path], n_test: int) -> str:
    """A sentence on these photos of so many; empty where there are none."""
    names = [shown("/".join(path.parts[-2:])) for path in leaked]
    if not names:
        return ""
    return (
        f"{len(names)} of {n_test} test photos lie in train/good, too, and flatter the figures: "
        f"{few(names)}. Take them out of one of the two folders"
    )


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _digest(path: Path) -> bytes | None:
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
    return None

"""Files: written whole, then renamed into place; read up to a limit; locked; names shown."""

from __future__ import annotations

import os
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

PARTIAL = ".partial-"
# Who holds a lock writes a bank at most: seconds.
_PATIENCE_S = 120


def write_whole(path: Path, data: bytes | str, *, sync: bool = False) -> None:
    """Write a file so that a reader finds the old one or the new one, never half of one.

    Args:
        data: text is written as UTF-8, its line ends as they are.
        sync: it must also outlast a power cut; see `whole_file`.

    Raises:
        OSError: the folder cannot be made or written, or the disk is full.
    """
    with whole_file(path, sync=sync) as partial:
        # A file's name may hold bytes that are no text: they are escaped, not a reason to fail.
        text = data.encode(errors="backslashreplace") if isinstance(data, str) else data
        partial.write_bytes(text)


@contextmanager
def whole_file(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """A name beside `path` to write to, for what wants a path; it takes its place at the end.

    The folder is made if need be. The name ends as `path` does, since the ending tells many
    libraries the format. If the body fails, what it wrote is removed and `path` stays as it was;
    a process killed in the body leaves a hidden `.partial-*` file that nothing reads.

    Args:
        sync: bring the file to the disk before the rename, and the rename after it. A file that
            can be made again does not need that, and it takes milliseconds.

    Raises:
        OSError: the folder cannot be made or written, or the body wrote no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two writers of one file must not write into each other's half.
    partial = path.with_name(f"{PARTIAL}{secrets.token_hex(4)}-{path.name}")
    try:
        yield partial
        if sync:
            to_disk(partial)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):  # the first fault is the one to tell
            partial.unlink(missing_ok=True)
        raise
    if sync:
        to_disk(path.parent)


@contextmanager
def exclusively(lock: Path) -> Iterator[None]:
    """One process and thread at a time; the others wait. Of one that dies the lock is dropped.

    Args:
        lock: an empty file that stands for what is guarded; it is made, and left lying.

    Raises:
        OSError: it cannot be made, or the others took longer than any of them should.
    """
    with FileLock(lock, timeout=_PATIENCE_S, poll_interval=0.02):
        yield


def read_at_most(path: Path, limit: int) -> bytes:
    """A file's first `limit` bytes, and one more where there are more: the caller sees it.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(limit + 1)


def to_disk(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk.

    Raises:
        OSError: it is not there, or the disk is full.
    """
    # Windows brings to the disk only what is open for writing; a folder's names it keeps itself.
    on_windows = os.name == "nt"
    if on_windows and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if on_windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def shown(name: str | os.PathLike[str]) -> str:
    r"""A file's name or path as it can be printed, stored as JSON or put into a page.

    Names are bytes on most systems: what is not UTF-8 becomes `\xfc`, and characters that are not
    drawn (line ends, terminal sequences, marks that turn the direction of writing) escapes, too.
    """
    return "".join(map(_visible, os.fspath(name)))


def _visible(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python keeps it (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    kind = unicodedata.category(character)
    if kind.startswith("C") or kind in ("Zl", "Zp"):
        return character.encode("unicode_escape").decode("ascii")
    return character

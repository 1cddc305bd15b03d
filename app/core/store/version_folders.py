"""A category's folder: its versions, the one that `current` names, and who may write there.

models/<category>/<bank version>/       a version, complete and never changed
models/<category>/current               text: the version that serves
models/<category>/.partial-*            what is being written, or was when its writer died
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ArtifactError
from ..files import PARTIAL, exclusively, read_at_most, write_whole
from .manifest import VERSION_PATTERN

CURRENT = "current"
# A version and a line end; white space does no harm.
MAX_VERSION_BYTES = 256


def current_version(folder: Path) -> str:
    """The version that a category's `current` names.

    Raises:
        ArtifactError: no such file, or what it holds is no version.
    """
    text = read(folder / CURRENT, MAX_VERSION_BYTES).decode("ascii", errors="replace").strip()
    if not VERSION_PATTERN.fullmatch(text):
        raise ArtifactError(f"{CURRENT} names no bank version")
    return text


def is_stored(folder: Path) -> bool:
    """Whether a folder is a category's: it names a version, or holds one. One that cannot be
    looked into counts as well, so that whoever loads it is told."""
    try:
        return folder.is_dir() and ((folder / CURRENT).exists() or bool(versions(folder)))
    except (OSError, ArtifactError):
        return True


def versions(folder: Path) -> list[str]:
    """A category's complete versions, oldest first.

    Raises:
        ArtifactError: the folder cannot be read.
    """
    try:
        named = [p for p in folder.iterdir() if VERSION_PATTERN.fullmatch(p.name)]
        return sorted(p.name for p in named if p.is_dir())
    except OSError as exc:
        raise ArtifactError(f"{folder.name} cannot be read: {exc.strerror}") from exc


def read(path: Path, limit: int) -> bytes:
    """A file's bytes.

    Raises:
        ArtifactError: it is no file, cannot be read, or has more than `limit` bytes.
    """
    try:
        # Asked of the file, since a pipe would be waited for and a device never ends.
        if path.exists() and not path.is_file():
            raise ArtifactError(f"{path.name} is no file")
        data = read_at_most(path, limit)
    except OSError as exc:
        raise ArtifactError(f"{path.name} cannot be read: {exc.strerror}") from exc
    if len(data) > limit:
        raise ArtifactError(f"{path.name} is larger than {limit} bytes")
    return data


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """One writer per category at a time; see `exclusively`."""
    with exclusively(folder / ".lock"):
        yield


def sweep(folder: Path) -> None:
    """Remove what a killed save left; safe, since the lock says that nobody is writing."""
    for path in folder.glob(f"{PARTIAL}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def set_current(folder: Path, version: str) -> None:
    """Let `current` name a version, by an atomic rename. Under the writer's lock."""
    write_whole(folder / CURRENT, f"{version}\n", sync=True)

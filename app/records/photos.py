"""Photos as files, each under the sha256 of its bytes, below two letters' folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..core.files import PARTIAL, write_whole

_SHA256 = re.compile(r"[0-9a-f]{64}")


class PhotoFiles:
    """The folder of kept photos: `ab/cd…` holds the photo whose sha256 is `abcd…`.

    The name has no ending: what a file holds is read from its bytes, as of an upload.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where that photo lies, or would.

        Raises:
            ValueError: not 64 hexadecimal digits: nothing of a request may lead elsewhere.
        """
        if not _SHA256.fullmatch(sha256):
            raise ValueError("a photo's sha256 has 64 hexadecimal digits")
        return self.folder / sha256[:2] / sha256[2:]

    def write(self, sha256: str, photo: bytes) -> None:
        """Write a photo, whole or not at all; where it lies already, nothing is done.

        Raises:
            OSError: it cannot be written, or the disk is full.
        """
        if not self.holds(sha256, len(photo)):
            write_whole(self.path(sha256), photo, sync=True)

    def holds(self, sha256: str, size: int) -> bool:
        """Whether a file of that size lies there."""
        try:
            return self.path(sha256).stat().st_size == size
        except OSError:
            return False

    def read(self, sha256: str) -> bytes | None:
        """A photo's bytes; None where it is not kept.

        Raises:
            OSError: it cannot be read.
        """
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, sha256: str) -> None:
        """Remove a photo, where it lies there.

        Raises:
            OSError: it cannot be removed.
        """
        self.path(sha256).unlink(missing_ok=True)

    def all(self) -> Iterator[str]:
        """The sha256 of each file, folder by folder."""
        for folder in self._folders():
            for path in _inside(folder):
                if _SHA256.fullmatch(folder.name + path.name):
                    yield folder.name + path.name

    def partial(self) -> Iterator[Path]:
        """What writers that died have left behind, and those at work are writing."""
        for folder in self._folders():
            yield from (path for path in _inside(folder) if path.name.startswith(PARTIAL))

    def _folders(self) -> Iterator[Path]:
        yield from (folder for folder in _inside(self.folder) if folder.is_dir())


def _inside(folder: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):  # nothing was kept yet
        yield from sorted(folder.iterdir())

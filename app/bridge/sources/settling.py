"""Whether the writing of a file has ended.

Nobody tells: cameras write over FTP, SMB and NFS. A file counts as written when it has stayed as it
is for a moment and its format's end is there. Where the end is missing, as on a line that hangs,
much longer: then it is broken, and not late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from os import stat_result
from pathlib import Path
from typing import Final

from ..frames import is_whole, kind_of

STILL_S: Final = 0.5
# FTP servers give up upon a silent sender after minutes; this is what a photo may be late.
PATIENCE_S: Final = 30.0
# Enough to see the end of any format; see `frames.is_whole`.
_TAIL: Final = 64


@dataclass(frozen=True)
class _Look:
    """What a file was like, and since when."""

    shape: tuple[int, int, int]
    since: float


class Settling:
    """Remembers the files of one folder from look to look."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._looks: dict[str, _Look] = {}

    def quiet_s(self, name: str, now: stat_result) -> float:
        """For how long a file has been as it is now; 0 at the first look."""
        shape = (now.st_ino, now.st_size, now.st_mtime_ns)
        look = self._looks.get(name)
        if look is None or look.shape != shape:
            look = self._looks[name] = _Look(shape, self._clock())
        return self._clock() - look.since

    def forget_but(self, names: Iterable[str]) -> None:
        """Files that are gone; others may come under their names."""
        there = set(names)
        self._looks = {name: look for name, look in self._looks.items() if name in there}


def has_end(path: Path, size: int) -> bool:
    """Whether the last bytes are those that a whole file of its format ends with.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL)
    if kind_of(head) == "WebP":
        return size >= int.from_bytes(head[4:8], "little") + 8
    return is_whole(head + tail)

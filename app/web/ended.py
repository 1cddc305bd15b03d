"""Sessions that people have ended: known to all processes, and after a restart."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from ..core.files import exclusively, read_at_most, write_whole

log = structlog.get_logger()

FILE = "page-ended"
# A line is some 40 bytes: thousands of them; then those that are over go.
_TIDY_BYTES, _MOST_BYTES = 256 << 10, 16 << 20


class Ended:
    """Ids of sessions that were ended before their time was over. The event loop alone asks it.

    Kept as lines of `id end`, which are only added to; a line that cannot be read is passed over.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Takes the file; None: what one process forgets with its end."""
        self._path, self._clock = path, clock
        self._ends: dict[str, float] = {}
        self._seen: tuple[int, int, int] | None = None

    def add(self, identity: str, ends: float) -> None:
        """A session is ended; it would have been over at `ends`, seconds since the epoch."""
        self._look()
        now = self._clock()
        self._ends = {i: at for i, at in self._ends.items() if at > now} | {identity: ends}
        if self._path is None:
            return
        try:
            self._write(self._path, f"{identity} {ends:.0f}\n")
        except OSError as exc:
            log.warning("a logout holds in this process alone", reason=exc.strerror, file=FILE)

    def __contains__(self, identity: str) -> bool:
        self._look()
        return identity in self._ends

    def _look(self) -> None:
        """Read the file where it has changed."""
        if self._path is None:
            return
        try:
            found = self._path.stat()
        except OSError:
            return
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if seen != self._seen:
            self._ends |= _read(self._path)
            self._seen = seen

    def _write(self, path: Path, line: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusively(path.with_name(f".{path.name}.lock")):
            if path.exists() and path.stat().st_size > _TIDY_BYTES:
                self._ends |= _read(path)
                now = self._clock()
                left = [f"{i} {at:.0f}\n" for i, at in self._ends.items() if at > now]
                write_whole(path, "".join(left))
                return
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line.encode("ascii"))
            finally:
                os.close(handle)


def _read(path: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in read_at_most(path, _MOST_BYTES).decode("ascii", "replace").splitlines():
        identity, _, ends = line.partition(" ")
        if ends.isdigit():
            found[identity] = float(ends)
    return found

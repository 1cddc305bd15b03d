"""Which version serves, noted by the services themselves for whoever clears away old ones.

models/.serving/<category>/<machine>-<process>      text: the version that serves there

A build knows what `current` names, not whether any service could load it. So each process that
serves notes what it serves, and renews its note while it runs. A note outlasts its process, since
builds may come before the next start; it counts until it has not been renewed for a week. The
folder lies beside the categories: where a service may not write the banks, it can still be given
this one. The notes decide what is kept, never what is loaded.
"""

from __future__ import annotations

import os
import platform
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import ArtifactError
from ..files import PARTIAL, write_whole
from .manifest import VERSION_PATTERN
from .version_folders import MAX_VERSION_BYTES, read

SERVING = ".serving"
KEPT_S = 7 * 24 * 3600
# A process that is gone needs no note of its own where another of its machine serves the same:
# one that restarts time and again would leave thousands.
QUIET_S = 3600
# Against a flood, for the latest ones.
MOST_NOTES = 10_000


def note(
    models: Path, category: str, version: str, *, machine: str | None = None, process: str = ""
) -> None:
    """Note that a version serves in a process of a machine, this one by default; outlasts a power
    cut.

    Args:
        process: tells it from the machine's others, whatever shares the machine's name with it.

    Raises:
        OSError: the folder cannot be written.
    """
    file = _file(models, category, machine, process)
    write_whole(file, f"{version}\n", sync=True)
    _drop_needless(file, version)


def renew(models: Path, category: str, version: str, *, process: str = "") -> None:
    """The version still serves: its note counts for a week from now.

    Raises:
        OSError: the folder cannot be written.
    """
    file = _file(models, category, None, process)
    try:
        os.utime(file)
    except FileNotFoundError:
        note(models, category, version, process=process)


def noted(models: Path, category: str) -> set[str]:
    """The versions that serve somewhere, or did this week; what cannot be read is left out."""
    oldest = time.time() - KEPT_S
    found = sorted((at, file) for file, at in _notes(models / SERVING / category) if at >= oldest)
    versions = (_version(file) for _, file in found[-MOST_NOTES:])
    return {version for version in versions if version is not None}


def _file(models: Path, category: str, machine: str | None, process: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9_-]", "_", machine or platform.node())[:64] or "unnamed"
    return models / SERVING / category / (f"{name}-{process}" if process else name)


def _notes(folder: Path) -> Iterator[tuple[Path, float]]:
    """Each note and when it was last renewed. One that is broken costs no other."""
    try:
        files = [path for path in folder.iterdir() if PARTIAL not in path.name]
    except OSError:
        return
    for file in files:
        with suppress(OSError):  # a link that leads nowhere or to itself, or removed meanwhile
            status = file.stat()
            if stat.S_ISREG(status.st_mode):
                yield file, status.st_mtime


def _drop_needless(own: Path, version: str) -> None:
    """Remove notes that are forgotten, and those of this machine that say the same and are no more
    renewed."""
    now = time.time()
    machine = own.name.rpartition("-")[0]
    for file, at in list(_notes(own.parent)):
        of_machine = bool(machine) and file.name.rpartition("-")[0] == machine
        same = of_machine and at < now - QUIET_S and _version(file) == version
        if file != own and (same or at < now - KEPT_S):
            with suppress(OSError):
                file.unlink()


def _version(file: Path) -> str | None:
    try:
        text = read(file, MAX_VERSION_BYTES).decode("ascii", errors="replace").strip()
    except ArtifactError:
        return None
    return text if VERSION_PATTERN.fullmatch(text) else None

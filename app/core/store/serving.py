"""Which version serves, noted by the services themselves for whoever clears away old ones.

models/.serving/<category>/<machine>      text: the version that serves there, or last did

A build knows what `current` names, not whether any service could load it. So each service notes
what it serves. The folder lies beside the categories: where a service may not write the banks, it
can still be given this one. The notes decide what is kept, never what is loaded.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

from ..errors import ArtifactError
from ..files import PARTIAL, write_whole
from .manifest import VERSION_PATTERN
from .version_folders import MAX_VERSION_BYTES, read

SERVING = ".serving"
# Containers get a new name each time they are made; the notes of so many machines count, the
# latest ones.
MACHINES = 16


def note(models: Path, category: str, version: str, *, machine: str | None = None) -> None:
    """Note that a version serves on a machine, this one by default; outlasts a power cut.

    Raises:
        OSError: the folder cannot be written.
    """
    name = re.sub(r"[^A-Za-z0-9_-]", "_", machine or platform.node())[:64] or "unnamed"
    write_whole(models / SERVING / category / name, f"{version}\n", sync=True)


def noted(models: Path, category: str) -> set[str]:
    """The versions that serve somewhere, or last did; what cannot be read is left out."""
    try:
        files = [p for p in (models / SERVING / category).iterdir() if PARTIAL not in p.name]
        files.sort(key=lambda path: path.stat().st_mtime_ns)
    except OSError:
        return set()
    return {version for file in files[-MACHINES:] if (version := _version(file)) is not None}


def _version(file: Path) -> str | None:
    try:
        text = read(file, MAX_VERSION_BYTES).decode("ascii", errors="replace").strip()
    except ArtifactError:
        return None
    return text if VERSION_PATTERN.fullmatch(text) else None

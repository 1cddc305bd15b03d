"""The photos of a folder and of all below it, and what lies there beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..files import shown
from .formats.kinds import FROM_PHONES
from .images import EXTENSIONS

# Pictures by their ending, for the advice alone: what can be read stands in EXTENSIONS.
_PICTURES = {
    ".heic", ".heif", ".avif", ".gif", ".jxl", ".jp2", ".psd", ".raw", ".cr2", ".cr3", ".nef",
    ".arw", ".dng", ".orf", ".rw2", ".raf", ".tga", ".ppm", ".pgm", ".pnm", ".exr", ".svg",
}  # fmt: skip

# What file servers, cameras' recorders and computers put beside people's own folders.
_SYSTEMS = frozenset(
    {
        "@eadir",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__macosx",
    }
)
_HEIC = {".heic", ".heif"}


@dataclass
class Listing:
    """Photos in order of their names, and what is no photo.

    Attributes:
        left_out: kind of file (`.HEIC`, "hidden") -> how many.
        skipped: folders that were not looked into.
        below: how many of the photos lie in a folder of the folder.
    """

    photos: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    skipped: list[Path] = field(default_factory=list)
    below: int = 0


def is_photo(path: Path) -> bool:
    """Whether its name says so: an image by its ending, and not hidden."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; not the hidden ones, nor what systems make by themselves.

    Raises:
        OSError: the folder cannot be read.
    """
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if not is_systems(p.name) and p.is_dir())


def is_systems(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _SYSTEMS


def photos_in(folder: Path) -> Listing:
    """The photos that lie directly in a folder.

    Raises:
        OSError: the folder cannot be read.
    """
    found = Listing()
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        if is_photo(path):
            found.photos.append(path)
        else:
            found.left_out[_kind(path)] += 1
    return found


def photos_below(folder: Path, skip: Callable[[str], bool] = lambda _name: False) -> Listing:
    """The photos in a folder and in all folders below it, each folder once, however it is linked.

    Args:
        skip: by a folder's name, whether it is left out with all below it.

    Raises:
        OSError: a folder cannot be read.
    """
    found, seen = Listing(), set[Path]()
    waiting = [folder]
    while waiting:
        place = waiting.pop(0)
        if (real := place.resolve()) in seen:
            continue
        seen.add(real)
        here = photos_in(place)
        found.photos += here.photos
        found.left_out += here.left_out
        found.below += 0 if place == folder else len(here.photos)
        for inner in folders(place):
            (found.skipped if skip(inner.name) else waiting).append(inner)
    found.photos.sort()
    return found


def told(left_out: Mapping[str, int]) -> str:
    """`12 files left out: 12 .HEIC (…)`; empty where there are none."""
    if not left_out:
        return ""
    kinds = [f"{n} {kind}" for kind, n in sorted(left_out.items(), key=lambda item: -item[1])]
    present = {kind.lower() for kind in left_out}
    convert = ""
    if present & _HEIC:
        convert = f" ({FROM_PHONES})"
    elif present & _PICTURES:
        convert = " (convert pictures to JPEG or PNG to have them read)"
    n = sum(left_out.values())
    return f"{n} file{'s' * (n > 1)} left out: {few(kinds, 6)}{convert}"


def few(names: Iterable[str], most: int = 3) -> str:
    """The first of some names, and how many there are beside them."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _kind(path: Path) -> str:
    if path.name.startswith("."):
        return "hidden"
    return shown(path.suffix) or "without an ending"

"""Why there is no bank in a folder: it is not there, is a file, or the banks lie beside it.

models/                     the banks' folder
models/<category>/<bank version>/manifest.json
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import GoodsGuardError, UnknownCategory
from ..files import shown as printable
from ..photo.category_names import among, is_category_name
from ..photo.listing import few
from .manifest import MANIFEST, VERSION_PATTERN
from .version_folders import is_stored, versions

# Of a folder with thousands of others the first ones tell enough.
_LOOKED_INTO = 200


def why_no_bank(models: Path) -> str | None:
    """A sentence with the paths, for whoever set the folder; None where banks are stored there."""
    if any(is_stored(folder) for folder in _categories(models)):
        return None
    return _of_the_folder(models, _named(models)) or (
        f"no bank is stored in {_named(models)}; build one with `goodsguard build`"
    )


def stored(models: Path) -> list[str]:
    """The categories of which banks are stored, by name."""
    try:
        inside = sorted(path.name for path in models.iterdir() if is_category_name(path.name))
    except OSError:
        return []
    return [name for name in inside if is_stored(models / name)]


def stored_category(models: Path, name: str) -> str:
    """The category that a person means by its own name, or by that of its folder of photos.

    Raises:
        UnknownCategory: no bank is stored for it; the text lists those there are.
    """
    names = stored(models)
    if (meant := among(name, names)) is not None:
        return meant
    reason = why_no_bank(models) or f"there are {few(names, 10)}"
    raise UnknownCategory(f"no bank is stored for {printable(name) or repr(name)}: {reason}")


def public_reason(models: Path) -> str:
    """The same without the paths of this machine, for whoever reaches the service."""
    if not models.exists():
        return "no bank is stored: GOODSGUARD_MODELS_DIR names a folder that does not exist"
    reason = _of_the_folder(models, "GOODSGUARD_MODELS_DIR", shown=False)
    return f"no bank is stored: {reason}" if reason else "no bank is stored"


def misplaced(models: Path) -> str | None:
    """A sentence where `models` is a file, or the folder of one category or version: what is
    stored below it would be found by no one."""
    if models.is_file():
        return f"{_named(models)} is a file, not the folder of the banks"
    if _is_version(models):
        return f"{_named(models)} is one version of a bank; the banks lie two levels up, in " + (
            f"{_parents(models)[1]}"
        )
    if _is_category(models):
        return f"{_named(models)} is one category's folder; the banks lie one level up, in " + (
            f"{_parents(models)[0]}"
        )
    return None


def _of_the_folder(models: Path, name: str, *, shown: bool = True) -> str | None:
    try:
        if not models.exists():
            parent = models.absolute().parent
            missing = "" if parent.is_dir() else f", nor does {parent}"
            return f"the folder {name} does not exist{missing}"
        if not models.is_dir():
            return f"{_named(models) if shown else name} is a file, not the folder of the banks"
    except OSError as exc:
        return f"{name} cannot be looked at: {exc.strerror}"
    if (reason := misplaced(models)) is not None:
        return reason if shown else f"the banks lie above {name}"
    for folder in _subfolders(models):
        if any(is_stored(below) for below in _categories(folder)):
            lie = f"the banks lie one level down, in {folder if shown else folder.name}"
            return f"{lie}, not in {name}"
    return None


def _is_category(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(versions(folder))
    except GoodsGuardError:
        return False


def _is_version(folder: Path) -> bool:
    return VERSION_PATTERN.fullmatch(folder.absolute().name) is not None and (
        (folder / MANIFEST).is_file()
    )


def _categories(folder: Path) -> Iterator[Path]:
    return (path for path in _subfolders(folder) if is_category_name(path.name))


def _subfolders(folder: Path) -> list[Path]:
    try:
        found = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []
    return found[:_LOOKED_INTO]


def _named(path: Path) -> str:
    """A relative path says little where the service was started elsewhere."""
    return str(path) if path.is_absolute() else f"{path} ({path.absolute()})"


def _parents(path: Path) -> list[Path]:
    return list(path.absolute().parents)

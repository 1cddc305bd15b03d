"""Why a folder is no data folder: it is a file, or lies one level too deep or too high.

ROOT/<category>/train/good/*
"""

from __future__ import annotations

from pathlib import Path

_PARTS = ("train", "test")
# Of a folder with thousands of others the first ones tell enough.
_LOOKED_INTO = 200


def why_no_data(root: Path) -> str | None:
    """A sentence with the folder that was meant, or None where nothing nearby looks like one."""
    if not root.exists():
        return f"no data folder at {root}: it does not exist"
    if not root.is_dir():
        return f"no data folder at {root}: it is a file"
    if any(_is_category(folder) for folder in _subfolders(root)):
        return None
    for folder in list(root.absolute().parents)[:3]:
        inside = root.absolute().relative_to(folder).parts[0]
        if inside in _PARTS and _is_category(folder):
            return _meant(root, f"a part of the category {folder.name}", folder.parent)
    if _is_category(root):
        meant = _meant(root, "one category's folder", root.absolute().parent)
        return f"{meant}, with --category {root.resolve().name} for this one alone"
    for folder in _subfolders(root):
        if any(_is_category(below) for below in _subfolders(folder)):
            return f"the categories lie one level down: give {folder}, not {root}"
    return None


def _meant(root: Path, what: str, parent: Path) -> str:
    return f"{root} is {what}, not the folder of all: give {parent}"


def _is_category(folder: Path) -> bool:
    # Any case: what is meant counts here, not whether it is read.
    names = {below.name.lower() for below in _subfolders(folder)}
    return any(part in names for part in _PARTS)


def _subfolders(folder: Path) -> list[Path]:
    try:
        found = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []
    return found[:_LOOKED_INTO]

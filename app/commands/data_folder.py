"""The categories of a data folder that a command works on, and what it tells of all others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..cli import complain, warn
from ..core.photo.category_folders import survey
from ..core.photo.dataset import list_categories
from ..core.photo.listing import few


def chosen(data: Path, wanted: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The categories by name, and the folders that are laid out like one and cannot be read.

    Tells of these, and of folders that hold no category, unless others are wanted.

    Raises:
        DatasetError: what `list_categories` raises.
    """
    names = list_categories(data, wanted=wanted)
    if wanted:
        return names, []
    seen = survey(data)
    for folder, why in seen.refused.items():
        complain(f"{folder}: not read: {why}")
    if seen.others:
        warn(f"folders without train or test, not read: {few(seen.others, 6)}")
    return names, list(seen.refused)

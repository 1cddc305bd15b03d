"""Which banks a photo can be tried with, and which are meant by a form's fields.

A bank is named by its category, which means the version that serves, or as `category@version`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.detector import Detector
from ..core.errors import ArtifactError
from ..core.store.artifact import versions
from ..service.older import OlderBanks
from ..service.registry import Registry, no_such
from .viewers import BadForm

_AT = "@"


@dataclass(frozen=True)
class Choice:
    """A category of the form.

    Attributes:
        reason: why it cannot be chosen; None: it can.
        others: its versions that are kept and do not serve, the newest first.
    """

    name: str
    reason: str | None = None
    others: tuple[str, ...] = ()


def choices(registry: Registry, models: Path) -> list[Choice]:
    """All categories, those that do not serve with the reason. Reads folders: not for the event
    loop."""
    return [
        Choice(
            name,
            None if isinstance(entry, Detector) else entry.reason,
            _others(models / name, _serving(registry, name)),
        )
        for name, entry in registry.entries.items()
    ]


def _others(folder: Path, serving: str | None) -> tuple[str, ...]:
    try:
        return tuple(one for one in reversed(versions(folder)) if one != serving)
    except (ArtifactError, OSError):  # gone since, or not to be read
        return ()


def _serving(registry: Registry, category: str) -> str | None:
    entry = registry.entries.get(category)
    return entry.manifest.bank_version if isinstance(entry, Detector) else None


async def chosen(
    registry: Registry, older: OlderBanks, category: str, against: str
) -> list[Detector]:
    """The banks that are to judge: one, or two that differ. Versions that do not serve are loaded,
    which may take seconds.

    Raises:
        BadForm: no category is chosen, or the same bank twice.
        UnknownCategory, CategoryUnavailable; NoSuchVersion, ArtifactError.
    """
    if not category:
        raise BadForm("choose a category first")
    banks = [await _bank(registry, older, name) for name in (category, against) if name]
    if len({(one.manifest.category, one.manifest.bank_version) for one in banks}) < len(banks):
        raise BadForm(f"{category} would be compared with itself: choose another one, or none")
    return banks


async def _bank(registry: Registry, older: OlderBanks, name: str) -> Detector:
    category, _, version = name.partition(_AT)
    if not version or version == _serving(registry, category):
        return registry.detector(category)
    if category not in registry.entries:  # nothing else leads to a folder
        raise no_such(category, registry.entries)
    return await older.detector(category, version)

"""Which banks a photo can be tried with, and which are meant by a form's fields.

A bank is named by its category, which means the version that serves, or as `category@version`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.detector import Detector
from ..core.errors import ArtifactError, CategoryUnavailable, GoodsGuardError, NoSuchVersion
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


@dataclass(frozen=True)
class Absent:
    """A bank that was chosen and cannot judge, with the reason.

    Attributes:
        version: None where the one that serves was meant.
    """

    category: str
    version: str | None
    error: GoodsGuardError


Bank = Detector | Absent


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


async def chosen(registry: Registry, older: OlderBanks, category: str, against: str) -> list[Bank]:
    """The banks that are to judge: one, or two that differ, of which one may be absent. Versions
    that do not serve are loaded, which may take seconds.

    Raises:
        BadForm: no category is chosen, or the same bank twice.
        UnknownCategory. CategoryUnavailable, NoSuchVersion, ArtifactError: there is none that can
            judge; the text says which cannot, and why.
    """
    if not category:
        raise BadForm("choose a category first")
    banks = [await _bank(registry, older, name) for name in (category, against) if name]
    if len({named(one) for one in banks}) < len(banks):
        raise BadForm(f"{category} would be compared with itself: choose another one, or none")
    if not any(isinstance(one, Detector) for one in banks):
        raise next(one.error for one in banks if isinstance(one, Absent))
    return banks


def named(bank: Bank) -> tuple[str, str | None]:
    """Its category and version."""
    if isinstance(bank, Absent):
        return bank.category, bank.version
    return bank.manifest.category, bank.manifest.bank_version


async def _bank(registry: Registry, older: OlderBanks, name: str) -> Bank:
    category, _, version = name.partition(_AT)
    if category not in registry.entries:  # nothing else leads to a folder
        raise no_such(category, registry.entries)
    try:
        if not version or version == _serving(registry, category):
            return registry.detector(category)
        return await older.detector(category, version)
    except (NoSuchVersion, CategoryUnavailable) as exc:  # they name it
        return Absent(category, version or None, exc)
    except ArtifactError as exc:
        said = f"{category} {version} cannot be used: {exc.public}"
        return Absent(category, version, type(exc)(said))

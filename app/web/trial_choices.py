"""Which banks a photo can be tried with, and which are meant by a form's fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.detector import Detector
from ..service.registry import Registry
from .viewers import BadForm


@dataclass(frozen=True)
class Choice:
    """A category of the form. reason: why it cannot be chosen; None: it can."""

    name: str
    reason: str | None = None


def choices(registry: Registry) -> list[Choice]:
    """All categories, those that do not serve with the reason."""
    return [
        Choice(name, None if isinstance(entry, Detector) else entry.reason)
        for name, entry in registry.entries.items()
    ]


def chosen(registry: Registry, category: str, against: str) -> Sequence[Detector]:
    """The banks that are to judge: one, or two that differ.

    Raises:
        BadForm: no category is chosen, or the same twice.
        UnknownCategory, CategoryUnavailable.
    """
    if not category:
        raise BadForm("choose a category first")
    if against == category:
        raise BadForm(f"{category} would be compared with itself: choose another one, or none")
    return [registry.detector(name) for name in (category, against) if name]

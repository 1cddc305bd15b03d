"""Stored bank versions: which there are, and going back to one."""

from __future__ import annotations

from functools import partial

from ..core import errors
from ..core.crew import beside
from ..core.detector import Detector
from ..core.store import artifact as artifacts
from ..service.registry import Unavailable, no_such
from ..service.reloads import Reloaded
from .schemas import ReloadedCategory, VersionInfo, VersionList
from .services import Services


def stored_versions(parts: Services, category: str) -> VersionList:
    """What is stored, newest first, and which of it serves. Reads files.

    Raises:
        UnknownCategory: nothing is stored under that name.
    """
    entry = known_entry(parts, category)
    serving = entry.manifest.bank_version if isinstance(entry, Detector) else None
    folder = parts.settings.models_dir / category
    try:
        current = artifacts.current_version(folder)
    except errors.ArtifactError:
        current = None
    try:
        versions = artifacts.versions(folder)[::-1]
    except errors.ArtifactError:  # gone since, or not to be read
        versions = []
    return VersionList(
        category=category,
        versions=[_version(parts, category, v, serving, current) for v in versions],
    )


async def rolled_back(parts: Services, category: str, to: str | None) -> Reloaded:
    """Load and test an older version, let `current` name it, swap it in.

    Args:
        to: a stored version; None: the newest that is older than the serving one.

    Raises:
        UnknownCategory, NoSuchVersion, NotWritable, ArtifactError: nothing has changed then.
    """
    known_entry(parts, category)
    result = await beside(partial(parts.reloads.activate, category, to), "rollback")
    count(parts, [result])
    return result


async def reloaded(parts: Services) -> list[Reloaded]:
    """Load what `current` names now, test it and swap it in, of every category."""
    results = await beside(parts.reloads.refresh, "reload")
    count(parts, results)
    return results


def known_entry(parts: Services, category: str) -> Detector | Unavailable:
    """What is loaded of a category, or why nothing is.

    Raises:
        UnknownCategory: nothing is stored under that name.
    """
    entry = parts.registry.entries.get(category)
    if entry is None:
        raise no_such(category, parts.registry.entries)
    return entry


def item(result: Reloaded) -> ReloadedCategory:
    """As it is answered."""
    return ReloadedCategory(
        category=result.category,
        outcome=result.outcome,
        bank_version=result.bank_version,
        reason=result.reason,
    )


def count(parts: Services, results: list[Reloaded]) -> None:
    """Count reloads by their outcome."""
    for result in results:
        parts.metrics.reloads.labels(result.outcome).inc()


def _version(
    parts: Services, category: str, version: str, serving: str | None, current: str | None
) -> VersionInfo:
    info = VersionInfo(
        bank_version=version, is_serving=version == serving, is_current=version == current
    )
    try:
        m = artifacts.read_manifest(parts.settings.models_dir, category, version)
    except errors.ArtifactError as exc:
        return info.model_copy(update={"reason": str(exc)})
    facts = {
        "created_at": m.created_at,
        "preset": m.preset,
        "threshold": m.threshold.value,
        "alpha": m.threshold.alpha,
        "vectors": m.method.facts.get("vectors"),
    }
    return info.model_copy(update=facts)

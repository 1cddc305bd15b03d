"""/admin: exchange banks while the service runs."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from ...core import errors
from ...core.crew import beside
from ...core.detector import Detector
from ...core.store import artifact as artifacts
from ...service.registry import Unavailable, no_such
from ...service.reloads import Reloaded
from ..problems import Forbidden, responses
from ..schemas import CategoryName, ReloadedCategory, ReloadReport, VersionInfo, VersionList
from ..services import Services, ServicesDep

router = APIRouter(prefix="/admin", tags=["admin"])


@router.post("/reload", summary="Take up new bank versions", responses=responses(Forbidden))
async def reload(parts: ServicesDep) -> ReloadReport:
    """Load what `current` names now, test it and swap it in; what fails leaves the bank before.

    Requests under way finish on the bank with which they began.
    """
    results = await beside(parts.reloads.refresh, "reload")
    _count(parts, results)
    return ReloadReport(results=[_item(result) for result in results])


@router.post(
    "/categories/{category}/rollback",
    summary="Go back to an older bank version",
    responses=responses(
        Forbidden,
        errors.UnknownCategory,
        errors.NoSuchVersion,
        errors.NotWritable,
        errors.ArtifactError,
    ),
)
async def rollback(
    parts: ServicesDep,
    category: CategoryName,
    to: Annotated[
        str | None,
        Query(
            pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{6}$",
            description="a stored version; else the newest that is older than the serving one",
        ),
    ] = None,
) -> ReloadedCategory:
    """Load and test the older version, let `current` name it, swap it in."""
    _known(parts, category)
    result = await beside(partial(parts.reloads.activate, category, to), "rollback")
    _count(parts, [result])
    return _item(result)


@router.get(
    "/categories/{category}/versions",
    summary="Stored bank versions",
    responses=responses(Forbidden, errors.UnknownCategory),
)
def list_versions(parts: ServicesDep, category: CategoryName) -> VersionList:
    """What is stored, newest first, and which of it serves."""
    entry = _known(parts, category)
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


def _known(parts: Services, category: str) -> Detector | Unavailable:
    entry = parts.registry.entries.get(category)
    if entry is None:
        raise no_such(category, parts.registry.entries)
    return entry


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


def _item(result: Reloaded) -> ReloadedCategory:
    return ReloadedCategory(
        category=result.category,
        outcome=result.outcome,
        bank_version=result.bank_version,
        reason=result.reason,
    )


def _count(parts: Services, results: list[Reloaded]) -> None:
    for result in results:
        parts.metrics.reloads.labels(result.outcome).inc()

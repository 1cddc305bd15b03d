"""/admin: exchange banks while the service runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from ...core import errors
from ..problems import Forbidden, responses
from ..schemas import CategoryName, ReloadedCategory, ReloadReport, VersionList
from ..services import ServicesDep
from ..versions import item, reloaded, rolled_back, stored_versions

router = APIRouter(prefix="/admin", tags=["admin"])


@router.post("/reload", summary="Take up new bank versions", responses=responses(Forbidden))
async def reload(parts: ServicesDep) -> ReloadReport:
    """Load what `current` names now, test it and swap it in; what fails leaves the bank before.

    Requests under way finish on the bank with which they began.
    """
    return ReloadReport(results=[item(result) for result in await reloaded(parts)])


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
    return item(await rolled_back(parts, category, to))


@router.get(
    "/categories/{category}/versions",
    summary="Stored bank versions",
    responses=responses(Forbidden, errors.UnknownCategory),
)
def list_versions(parts: ServicesDep, category: CategoryName) -> VersionList:
    """What is stored, newest first, and which of it serves."""
    return stored_versions(parts, category)

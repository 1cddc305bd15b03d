"""Liveness, readiness, metrics: open to all, for orchestrators and scrapers."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from ..readiness import readiness
from ..schemas import Liveness, Readiness
from ..services import ServicesDep

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Liveness")
async def livez() -> Liveness:
    """200 as long as the process answers at all."""
    return Liveness(status="alive")


@router.get(
    "/readyz",
    summary="Readiness",
    responses={503: {"model": Readiness, "description": "no category can be scored"}},
)
async def readyz(parts: ServicesDep, response: Response) -> Readiness:
    """200 once at least one category can be scored; each category's state inside."""
    found = await readiness(parts)
    if found.status != "ready":
        response.status_code = 503
    return found


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(parts: ServicesDep) -> Response:
    """The Prometheus text format."""
    parts.records.show()
    return Response(parts.metrics.render(), media_type=CONTENT_TYPE_LATEST)

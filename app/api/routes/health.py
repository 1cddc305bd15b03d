"""Liveness, readiness, metrics: open to all, for orchestrators and scrapers."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from ...core.store.whereabouts import public_reason
from ...records.keeper import KeeperState
from ...service.registry import Unavailable
from ..schemas import Liveness, Readiness, RecordsState
from ..services import Services, ServicesDep

router = APIRouter(tags=["health"])

# One photo may be too much for the memory; several in a row are a device that is gone.
_FAILURES_IN_A_ROW = 3
# No photo takes so long: a network at work on one all this time hangs.
_HANGS_S = 60.0
_NO_CATEGORY = "no category can be scored"


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
    reason = _not_ready(parts)
    if reason == _NO_CATEGORY and not parts.registry.entries:
        why = await asyncio.to_thread(public_reason, parts.settings.models_dir)
        reason = f"{reason}: {why}"
    ready = reason is None
    if not ready:
        response.status_code = 503
    states = {
        name: entry.reason if isinstance(entry, Unavailable) else "ready"
        for name, entry in parts.registry.entries.items()
    }
    return Readiness(
        status="ready" if ready else "not ready",
        device=parts.device,
        categories=states,
        reloads=dict(parts.registry.failures),
        records=_records(parts.records.state),
        reason=reason,
    )


def _records(state: KeeperState) -> RecordsState:
    done = state.recorder
    return RecordsState(
        status=state.status,
        reason=state.reason,
        waiting=done.waiting,
        written=done.written,
        photos=done.photos_kept,
        lost=dict(done.lost),
        photos_lost=dict(done.photos_lost),
    )


def _not_ready(parts: Services) -> str | None:
    if parts.drain.active:
        return "stopping"
    if not parts.registry.detectors:
        return _NO_CATEGORY
    scheduler = parts.inspector.scheduler
    if scheduler.failures >= _FAILURES_IN_A_ROW:
        return f"the network failed on the last {scheduler.failures} photos: {scheduler.failure}"
    if (busy := scheduler.busy_s) > _HANGS_S:
        return f"the network has been at work on one photo for {busy:.0f} s"
    return None


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(parts: ServicesDep) -> Response:
    """The Prometheus text format."""
    parts.records.show()
    return Response(parts.metrics.render(), media_type=CONTENT_TYPE_LATEST)

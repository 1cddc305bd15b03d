"""Whether photos can be scored, and if not, why: for /readyz and for people."""

from __future__ import annotations

import asyncio

from ..core.store.whereabouts import public_reason
from ..records.keeper import KeeperState
from ..service.registry import Unavailable
from .schemas import Readiness, RecordsState
from .services import Services

# One photo may be too much for the memory; several in a row are a device that is gone.
_FAILURES_IN_A_ROW = 3
# No photo takes so long: a network at work on one all this time hangs.
_HANGS_S = 60.0
_NO_CATEGORY = "no category can be scored"


async def readiness(parts: Services) -> Readiness:
    """The service's state, and each category's."""
    reason = _not_ready(parts)
    if reason == _NO_CATEGORY and not parts.registry.entries:
        why = await asyncio.to_thread(public_reason, parts.settings.models_dir)
        reason = f"{reason}: {why}"
    states = {
        name: entry.reason if isinstance(entry, Unavailable) else "ready"
        for name, entry in parts.registry.entries.items()
    }
    return Readiness(
        status="ready" if reason is None else "not ready",
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

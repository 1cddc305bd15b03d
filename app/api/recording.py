"""From what was found to what is recorded. Whatever goes wrong here, the photo is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from fastapi import Request

from ..core.detector import Detector
from ..records.verdicts import Draft
from ..service.cameras_file import Camera
from ..service.findings import Finding
from .intake.uploads import Upload
from .schemas import RegionInfo
from .services import services

log = structlog.get_logger()


def recorded(
    request: Request,
    upload: Upload,
    found: Finding,
    regions: Sequence[RegionInfo],
    timings_ms: Mapping[str, float],
    camera: Camera | None,
    place: str | None = None,
) -> UUID | None:
    """Have a verdict recorded: the id under which it will be, None where it will not."""
    inspection = found.inspection
    return _put(
        request,
        found.detector,
        upload,
        camera,
        place=place,
        verdict=inspection.verdict,
        score=float(inspection.score),
        threshold=float(inspection.threshold),
        p_value=float(inspection.p_value),
        alpha=float(inspection.alpha),
        width=inspection.width,
        height=inspection.height,
        regions=[
            region.box.model_dump() | region.model_dump(exclude={"box"}) for region in regions
        ],
        timings_ms=timings_ms,
    )


def record_unusable(
    request: Request,
    detector: Detector,
    upload: Upload,
    camera: Camera | None,
    place: str | None = None,
) -> None:
    """Have it recorded that a photo could not be judged. It is never decoded again: it has no size,
    and no thumbnail."""
    _put(request, detector, upload, camera, place=place, verdict="unusable")


def _put(
    request: Request, detector: Detector, upload: Upload, camera: Camera | None, **said: Any
) -> UUID | None:
    try:
        draft = Draft(
            category=detector.manifest.category,
            camera=camera.name if camera else None,
            bank_version=detector.manifest.bank_version,
            engine=detector.engine,
            photo=upload.data,  # what was received, not a copy; the recorder bounds what waits
            request_id=request.state.request_id,
            key_name=getattr(request.state, "key_name", None),
            **said,
        )
        return draft.id if services(request).records.put(draft) else None
    except Exception:
        log.exception("a verdict is not recorded")
        return None

"""POST /score/{category} and its batch."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from app.api import schemas
from app.api.dependencies import Services, ServicesDep, Upload, read_photo, read_photos
from app.api.problems import BadUpload, BodyTooLarge, NotAnImageType, problem, responses
from app.api.schemas import Batch, BatchItem, ImageInfo, Score, TimingsMs
from app.core import errors
from app.core.anomaly_map import Region
from app.core.detector import Detector, Inspection, Photo
from app.workers import Picture, or_raise

router = APIRouter(prefix="/score", tags=["score"])

CategoryName = Annotated[str, Path(max_length=64, examples=["elpv_mono"])]
Heatmap = Annotated[
    bool, Query(description="add the anomaly map as an overlay PNG (methods with patches only)")
]

_IMAGE_ERRORS = (
    errors.UnknownCategory,
    errors.CategoryUnavailable,
    errors.NotAnImage,
    errors.UnsupportedImage,
    errors.CorruptImage,
    errors.TooManyPixels,
    errors.NonFiniteScore,
    errors.Overloaded,
    BodyTooLarge,
    NotAnImageType,
    BadUpload,
)

_BINARY = {"type": "string", "format": "binary"}


def _multipart(field: str, schema: dict[str, Any]) -> dict[str, Any]:
    form = {"type": "object", "required": [field], "properties": {field: schema}}
    return {"multipart/form-data": {"schema": form}}


_ONE_PHOTO = {
    "requestBody": {
        "required": True,
        "content": _multipart("file", _BINARY) | {"image/*": {"schema": _BINARY}},
    }
}
_PHOTOS = {
    "requestBody": {
        "required": True,
        "content": _multipart("files", {"type": "array", "items": _BINARY, "minItems": 1}),
    }
}


@router.post(
    "/{category}",
    summary="Score one photo",
    responses=responses(*_IMAGE_ERRORS),
    openapi_extra=_ONE_PHOTO,
)
async def score(
    request: Request,
    parts: ServicesDep,
    category: CategoryName,
    heatmap: Heatmap = False,
) -> Score:
    """Judge one photo: the multipart field `file`, or the image itself as the body."""
    detector = parts.registry.detector(category)
    parts.workers.check()
    upload = await read_photo(request, parts.settings.max_bytes)
    async with parts.workers.admit():
        try:
            photo = await parts.workers.read(detector, upload.data)
            inspection = or_raise((await parts.workers.judge(detector, [photo]))[0])
        except (errors.ImageError, errors.NonFiniteScore):
            parts.telemetry.verdicts.labels(category, "unusable").inc()
            raise
        picture = await parts.workers.picture(detector, upload.data, inspection, heatmap=heatmap)
    _record(parts, category, inspection)
    answer = _score(request, detector, inspection, picture)
    request.state.log = {
        "category": category,
        "verdict": answer.verdict,
        "score": round(answer.score, 4),
        "bank_version": answer.bank_version,
        "timings_ms": answer.timings_ms.model_dump(),
    }
    return answer


@router.post(
    "/{category}/batch",
    summary="Score several photos",
    responses=responses(*_IMAGE_ERRORS),
    openapi_extra=_PHOTOS,
)
async def score_batch(
    request: Request,
    parts: ServicesDep,
    category: CategoryName,
    heatmap: Heatmap = False,
) -> Batch:
    """Judge several photos: the multipart field `files`. One result or one problem per file."""
    detector = parts.registry.detector(category)
    parts.workers.check()
    settings = parts.settings
    uploads = await read_photos(request, settings.max_bytes, settings.max_batch)
    async with parts.workers.admit(len(uploads)):
        read = await asyncio.gather(
            *(_read_or_error(parts, detector, upload) for upload in uploads)
        )
        photos = [photo for photo in read if isinstance(photo, Photo)]
        judged = iter(await parts.workers.judge(detector, photos) if photos else [])
        results = [
            await _item(request, parts, detector, upload, outcome, judged, heatmap=heatmap)
            for upload, outcome in zip(uploads, read, strict=True)
        ]
    request.state.log = {"category": category, "verdicts": [r.verdict for r in results]}
    return Batch(category=category, results=results, request_id=request.state.request_id)


async def _item(
    request: Request,
    parts: Services,
    detector: Detector,
    upload: Upload,
    outcome: Photo | Exception,
    judged: Iterator[Inspection | errors.NonFiniteScore],
    *,
    heatmap: bool,
) -> BatchItem:
    category = detector.manifest.category
    inspection = next(judged) if isinstance(outcome, Photo) else outcome
    if isinstance(inspection, Exception):
        parts.telemetry.verdicts.labels(category, "unusable").inc()
        detail = problem(inspection, request.state.request_id)
        return BatchItem(filename=upload.filename, verdict="unusable", problem=detail)
    picture = await parts.workers.picture(detector, upload.data, inspection, heatmap=heatmap)
    _record(parts, category, inspection)
    item = _score(request, detector, inspection, picture)
    return BatchItem(filename=upload.filename, verdict=item.verdict, result=item)


async def _read_or_error(
    parts: Services, detector: Detector, upload: Upload
) -> Photo | errors.ImageError | BodyTooLarge:
    if len(upload.data) > parts.settings.max_bytes:
        return BodyTooLarge(f"the photo has more than {parts.settings.max_bytes:,} bytes")
    try:
        return await parts.workers.read(detector, upload.data)
    except errors.ImageError as exc:
        return exc


def _record(parts: Services, category: str, inspection: Inspection) -> None:
    parts.telemetry.verdicts.labels(category, inspection.verdict).inc()
    for stage, ms in inspection.timings_ms.items():
        parts.telemetry.stage_seconds.labels(stage).observe(ms / 1000)


def _score(request: Request, detector: Detector, inspection: Inspection, picture: Picture) -> Score:
    timings = inspection.timings_ms
    total = (time.perf_counter() - request.state.started) * 1000
    assert inspection.verdict != "unusable"
    return Score(
        category=detector.manifest.category,
        verdict=inspection.verdict,
        is_anomalous=inspection.is_anomalous,
        score=inspection.score,
        threshold=inspection.threshold,
        p_value=inspection.p_value,
        alpha=inspection.alpha,
        bank_version=detector.manifest.bank_version,
        preset=detector.manifest.preset,
        image=ImageInfo(width=inspection.width, height=inspection.height, format=inspection.format),
        timings_ms=TimingsMs(**{k: round(v, 2) for k, v in (timings | {"total": total}).items()}),
        heatmap_png=base64.b64encode(picture.overlay).decode() if picture.overlay else None,
        regions=[_region(region) for region in picture.regions],
        request_id=request.state.request_id,
    )


def _region(region: Region) -> schemas.Region:
    return schemas.Region(
        box=schemas.Box(left=region.left, top=region.top, right=region.right, bottom=region.bottom),
        peak=region.peak,
        area=region.area,
    )

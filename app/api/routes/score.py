"""POST /score/{category} and its batch."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request

from ...core import errors
from ...core.detector import Detector
from ..inspections import (
    UNUSABLE,
    Found,
    all_of,
    answer,
    inspect_by,
    inspect_one,
    ms_since_start,
    unusable,
)
from ..intake.dependencies import ServicesDep, Upload, read_photo, read_photos
from ..intake.lifetime import DeadlineDep, while_wanted
from ..problems import BadUpload, BodyTooLarge, NotAnImageType, problem, responses
from ..schemas import Batch, BatchItem, Categories, CategoryItem, Score

T = TypeVar("T")

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
    errors.DeadlineExceeded,
    errors.OutOfMemory,
    errors.NetworkFailed,
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
    until: DeadlineDep,
    heatmap: Heatmap = False,
) -> Score:
    """Judge one photo: the multipart field `file`, or the image itself as the body."""
    detector = parts.registry.detector(category)
    request.state.log = {"category": category}
    parts.workers.check()
    upload = await read_photo(request, parts.settings.max_bytes, until)
    received = ms_since_start(request)
    async with parts.workers.admit():
        work = inspect_one(parts, detector, upload, until, heatmap=heatmap)
        inspection, picture = await while_wanted(request, until, work)
    result = answer(request, parts, detector, inspection, picture, received)
    request.state.log = {
        "category": category,
        "verdict": result.verdict,
        "score": round(result.score, 4),
        "bank_version": result.bank_version,
        "timings_ms": result.timings_ms.model_dump(),
    }
    return result


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
    until: DeadlineDep,
    heatmap: Heatmap = False,
) -> Batch:
    """Judge several photos: the multipart field `files`. One result or one problem per file."""
    detector = parts.registry.detector(category)
    request.state.log = {"category": category}
    parts.workers.check()
    settings = parts.settings
    uploads = await read_photos(request, settings.max_bytes, settings.max_batch, until)
    received = ms_since_start(request)

    async def item(upload: Upload) -> BatchItem:
        try:
            if len(upload.data) > settings.max_bytes:
                too_large = BodyTooLarge(f"the photo has more than {settings.max_bytes:,} bytes")
                raise unusable(parts, detector, too_large)
            found = await inspect_one(parts, detector, upload, until, heatmap=heatmap)
        except UNUSABLE as exc:
            detail = problem(exc, request.state.request_id)
            return BatchItem(filename=upload.filename, verdict="unusable", problem=detail)
        result = answer(request, parts, detector, *found, received)
        return BatchItem(filename=upload.filename, verdict=result.verdict, result=result)

    async with parts.workers.admit(len(uploads)):
        results = await while_wanted(request, until, all_of(item(upload) for upload in uploads))
    judged = [item.result for item in results if item.result]
    request.state.log = {
        "category": category,
        "verdicts": [item.verdict for item in results],
        "bank_version": detector.manifest.bank_version,
        "timings_ms": [result.timings_ms.model_dump() for result in judged],
    }
    return Batch(category=category, results=results, request_id=request.state.request_id)


@router.post(
    "",
    summary="Score one photo by several categories",
    responses=responses(*_IMAGE_ERRORS),
    openapi_extra=_ONE_PHOTO,
)
async def score_by_several(
    request: Request,
    parts: ServicesDep,
    category: Annotated[
        list[Annotated[str, Query(max_length=64)]],
        Query(min_length=1, max_length=64, description="repeated; one item in the answer each"),
    ],
    until: DeadlineDep,
    heatmap: Heatmap = False,
) -> Categories:
    """Judge one photo by several banks, for who does not know which goods it shows.

    Categories whose banks share a feature spec and an engine share the embedding, too.
    """
    parts.workers.check()
    upload = await read_photo(request, parts.settings.max_bytes, until)
    received = ms_since_start(request)
    names = list(dict.fromkeys(category))
    found: dict[str, Found | Exception] = {}
    asked: dict[str, Detector] = {}  # held here: a reload may swap the registry meanwhile
    groups: dict[tuple[int, str], list[Detector]] = {}
    for name in names:
        try:
            detector = asked[name] = parts.registry.detector(name)
        except errors.CategoryError as exc:
            found[name] = exc
            continue
        # What differs in its dimensions only is prepared and embedded in the same way.
        extractor = detector.extractor
        key = (id(extractor.runtime), extractor.spec.network_key())
        groups.setdefault(key, []).append(detector)

    async def group(detectors: list[Detector]) -> None:
        found.update(await inspect_by(parts, detectors, upload, until, heatmap=heatmap))

    async with parts.workers.admit(max(1, len(groups))):
        await while_wanted(request, until, all_of(group(g) for g in groups.values()))
    results = []
    for name in names:
        outcome = found[name]
        if isinstance(outcome, Exception):
            detail = problem(outcome, request.state.request_id)
            results.append(CategoryItem(category=name, verdict="unusable", problem=detail))
            continue
        result = answer(request, parts, asked[name], *outcome, received)
        results.append(CategoryItem(category=name, verdict=result.verdict, result=result))
    judged = {item.category: item.result for item in results if item.result}
    request.state.log = {
        "category": names,
        "verdicts": {item.category: item.verdict for item in results},
        "bank_version": {name: result.bank_version for name, result in judged.items()},
        "timings_ms": {name: result.timings_ms.model_dump() for name, result in judged.items()},
    }
    return Categories(results=results, request_id=request.state.request_id)

"""From what was found to what is answered, and to the request's log line."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from fastapi import Request
from fastapi.responses import Response

from ..core.detector import Detector
from ..core.errors import CategoryError, NotAnImage
from ..core.judging.anomaly_map import Region
from ..service.cameras_file import Camera, Place
from ..service.findings import Finding, Found
from . import schemas
from .explanation_schemas import ExplanationInfo, RegionBox
from .intake.mistakes import mistake
from .intake.uploads import Upload, ms_since_start
from .problems import problem
from .recording import record_unusable, recorded
from .schemas import Batch, BatchItem, Categories, CategoryItem, ImageInfo, Score, TimingsMs
from .services import services

Answer = TypeVar("Answer", Score, Batch, Categories)


async def sent(make: Callable[[], Answer], *, large: bool) -> Answer | Response:
    """The answer that `make` makes. With pictures, megabytes, all of it is made on a thread: the
    event loop has others to serve.

    Raises:
        What `make` raises.
    """
    return await asyncio.to_thread(lambda: _rendered(make())) if large else make()


def _rendered(body: Score | Batch | Categories) -> Response:
    """The answer as JSON: item by item, since none of it lets go of the interpreter."""
    if isinstance(body, Score):
        text = body.model_dump_json()
    else:
        items = ",".join(item.model_dump_json() for item in body.results)
        around = body.model_copy(update={"results": []}).model_dump_json()
        text = around.replace('"results":[]', f'"results":[{items}]', 1)
    return Response(text, media_type="application/json")


def of_camera(camera: Camera | None) -> dict[str, str]:
    """What the log line says of the camera that was named."""
    return {} if camera is None else {"camera": camera.name}


def one(
    request: Request,
    detector: Detector,
    upload: Upload,
    found: Found,
    camera: Camera | None = None,
) -> Score:
    """The answer on one photo.

    Raises:
        ImageError, NonFiniteScore: it cannot be judged.
    """
    if isinstance(found, Exception):
        record_unusable(request, detector, upload, camera)
        raise explained(found, upload)
    score = _score(request, upload, found, camera)
    request.state.log = of_camera(camera) | {
        "category": score.category,
        "verdict": score.verdict,
        "score": round(score.score, 4),
        "bank_version": score.bank_version,
        "timings_ms": score.timings_ms.model_dump(),
    }
    return score


def batch(
    request: Request,
    detector: Detector,
    uploads: Sequence[Upload],
    found: Sequence[Mapping[str, Found]],
    camera: Camera | None = None,
) -> Batch:
    """The answer on several photos; `found` holds those that are not too large, in order."""
    category, judged = detector.manifest.category, iter(found)
    results = [
        _batch_item(request, detector, upload, {} if upload.too_large else next(judged), camera)
        for upload in uploads
    ]
    scores = [item.result for item in results if item.result]
    request.state.log = of_camera(camera) | {
        "category": category,
        "verdicts": [item.verdict for item in results],
        "bank_version": detector.manifest.bank_version,
        "timings_ms": [score.timings_ms.model_dump() for score in scores],
    }
    return Batch(
        category=category,
        camera=camera and camera.name,
        results=results,
        request_id=request.state.request_id,
    )


def several(
    request: Request,
    upload: Upload,
    asked: Mapping[str, Detector | CategoryError],
    found: Mapping[str, Found],
    camera: Camera | None = None,
) -> Categories:
    """The answer of several categories on one photo."""
    results = []
    for category, detector in asked.items():
        outcome = detector if isinstance(detector, CategoryError) else found[category]
        results.append(_category_item(request, category, detector, upload, outcome, camera))
    scores = {item.category: item.result for item in results if item.result}
    request.state.log = of_camera(camera) | {
        "category": list(asked),
        "verdicts": {item.category: item.verdict for item in results},
        "bank_version": {name: score.bank_version for name, score in scores.items()},
        "timings_ms": {name: score.timings_ms.model_dump() for name, score in scores.items()},
    }
    return Categories(
        camera=camera and camera.name, results=results, request_id=request.state.request_id
    )


def places(
    request: Request,
    upload: Upload,
    camera: Camera,
    asked: Sequence[tuple[Place, Detector | CategoryError]],
    found: Sequence[Found],
) -> Categories:
    """The answer on the places of a camera, in order; `found` holds those that serve."""
    judged = iter(found)
    results = []
    for place, detector in asked:
        outcome = detector if isinstance(detector, CategoryError) else next(judged)
        item = _category_item(
            request, place.category, detector, upload, outcome, camera, place.name
        )
        results.append(item.model_copy(update={"place": place.name}))
    scores = {item.place: item.result for item in results if item.result}
    request.state.log = of_camera(camera) | {
        "category": {item.place: item.category for item in results},
        "verdicts": {item.place: item.verdict for item in results},
        "bank_version": {name: score.bank_version for name, score in scores.items()},
        "timings_ms": {name: score.timings_ms.model_dump() for name, score in scores.items()},
    }
    return Categories(camera=camera.name, results=results, request_id=request.state.request_id)


def _category_item(
    request: Request,
    category: str,
    detector: Detector | CategoryError,
    upload: Upload,
    outcome: Found | CategoryError,
    camera: Camera | None,
    place: str | None = None,
) -> CategoryItem:
    if isinstance(outcome, Finding):
        score = _score(request, upload, outcome, camera, place)
        return CategoryItem(category=category, verdict=score.verdict, result=score)
    if isinstance(detector, Detector):
        record_unusable(request, detector, upload, camera, place)
    detail = problem(explained(outcome, upload), request.state.request_id)
    return CategoryItem(category=category, verdict="unusable", problem=detail)


def _batch_item(
    request: Request,
    detector: Detector,
    upload: Upload,
    found: Mapping[str, Found],
    camera: Camera | None,
) -> BatchItem:
    category = detector.manifest.category
    outcome = upload.too_large or found[category]
    if isinstance(outcome, Finding):
        score = _score(request, upload, outcome, camera)
        return BatchItem(filename=upload.filename, verdict=score.verdict, result=score)
    if upload.too_large:  # of the others the inspector has told
        services(request).metrics.unusable(category)
    else:  # of one that is too large there is nothing to keep
        record_unusable(request, detector, upload, camera)
    detail = problem(explained(outcome, upload), request.state.request_id)
    return BatchItem(filename=upload.filename, verdict="unusable", problem=detail)


def explained(exc: Exception, upload: Upload) -> Exception:
    """Why a photo cannot be judged; of what is no image at all: what it is instead, where that can
    be told."""
    why = mistake(upload.data) if isinstance(exc, NotAnImage) else None
    return NotAnImage(why) if why else exc


def _score(
    request: Request,
    upload: Upload,
    found: Finding,
    camera: Camera | None,
    place: str | None = None,
) -> Score:
    inspection, manifest = found.inspection, found.detector.manifest
    assert inspection.verdict != "unusable"
    # The other stages are the inspector's, which knows of no request.
    services(request).metrics.stage("receive", upload.received_ms)
    timings = found.timings_ms | {"receive": upload.received_ms, "total": ms_since_start(request)}
    timings_ms = {stage: round(ms, 2) for stage, ms in timings.items()}
    regions = [_region(region) for region in found.regions]
    return Score(
        id=recorded(request, upload, found, regions, timings_ms, camera, place),
        category=manifest.category,
        verdict=inspection.verdict,
        is_anomalous=inspection.is_anomalous,
        score=inspection.score,
        threshold=inspection.threshold,
        p_value=inspection.p_value,
        alpha=inspection.alpha,
        bank_version=manifest.bank_version,
        preset=manifest.preset,
        camera=camera and camera.name,
        image=ImageInfo(width=inspection.width, height=inspection.height, format=inspection.format),
        timings_ms=TimingsMs(**timings_ms),
        heatmap_png=base64.b64encode(found.overlay).decode() if found.overlay else None,
        regions=regions,
        explanation=ExplanationInfo.of(found.explanation) if found.explanation else None,
        request_id=request.state.request_id,
    )


def _region(region: Region) -> schemas.RegionInfo:
    return schemas.RegionInfo(
        box=RegionBox(left=region.left, top=region.top, right=region.right, bottom=region.bottom),
        peak=region.peak,
        area=region.area,
    )

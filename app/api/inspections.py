"""From an upload to its verdict and picture, and from these to the answer and the metrics."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from fastapi import Request

from ..core import errors
from ..core.detector import Detector, Inspection, or_raise
from ..core.judging.anomaly_map import Region
from ..service.workers import Picture
from . import schemas
from .intake.dependencies import Services, Upload
from .problems import BodyTooLarge
from .schemas import ImageInfo, Score, TimingsMs

T = TypeVar("T")
E = TypeVar("E", bound=Exception)
Found = tuple[Inspection, Picture]


# What is said of one photo or category of several, in its place; anything else ends the request.
UNUSABLE = (errors.ImageError, errors.NonFiniteScore, BodyTooLarge)


async def all_of(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All of it, in order; the first error ends the rest."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def inspect_one(
    parts: Services, detector: Detector, upload: Upload, until: float, *, heatmap: bool
) -> Found:
    """One photo by one detector.

    Raises:
        ImageError, NonFiniteScore: it cannot be judged. DeadlineExceeded, NetworkFailed.
    """
    found = await inspect_by(parts, [detector], upload, until, heatmap=heatmap)
    outcome = found[detector.manifest.category]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def inspect_by(
    parts: Services, detectors: list[Detector], upload: Upload, until: float, *, heatmap: bool
) -> dict[str, Found | Exception]:
    """One photo by detectors that prepare and embed it in the same way: per category, what was
    found or why it cannot be judged.

    Raises:
        DeadlineExceeded, NetworkFailed.
    """
    found: dict[str, Found | Exception] = {}
    parts.telemetry.photo_bytes.observe(len(upload.data))
    try:
        photo = await parts.workers.read(detectors[0], upload.data, until)
        (outcomes,) = await parts.workers.judge(detectors, [photo], until)
    except errors.ImageError as exc:
        for detector in detectors:
            found[detector.manifest.category] = unusable(parts, detector, exc)
        return found
    for detector, outcome in zip(detectors, outcomes, strict=True):
        name = detector.manifest.category
        try:
            inspection = or_raise(outcome)
        except errors.NonFiniteScore as exc:
            found[name] = unusable(parts, detector, exc)
            continue
        picture = await parts.workers.picture(detector, upload.data, inspection, heatmap=heatmap)
        found[name] = inspection, picture
    return found


def unusable(parts: Services, detector: Detector, exc: E) -> E:
    """Count the error."""
    parts.telemetry.verdicts.labels(detector.manifest.category, "unusable").inc()
    return exc


def answer(
    request: Request,
    parts: Services,
    detector: Detector,
    inspection: Inspection,
    picture: Picture,
    received_ms: float,
) -> Score:
    """The answer, and what the metrics keep of it."""
    timings = inspection.timings_ms | {"receive": received_ms, "map": picture.ms}
    parts.telemetry.verdicts.labels(detector.manifest.category, inspection.verdict).inc()
    parts.telemetry.photo_pixels.observe(inspection.width * inspection.height)
    for stage, ms in timings.items():
        parts.telemetry.stage_seconds.labels(stage).observe(ms / 1000)
    return _score(request, detector, inspection, picture, timings)


def ms_since_start(request: Request) -> float:
    """Milliseconds since the request came in."""
    begun: float = request.state.started
    return (time.perf_counter() - begun) * 1000


def _score(
    request: Request,
    detector: Detector,
    inspection: Inspection,
    picture: Picture,
    timings: dict[str, float],
) -> Score:
    total = ms_since_start(request)
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

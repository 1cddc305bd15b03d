"""A recorded verdict's pictures: the photo as it was sent, its thumbnail, its overlay."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from ...core import errors
from ...core.detector import Detector
from ...core.photo.view import WHOLE_VIEW, View
from ...records.errors import RecordsUnavailable, UnknownVerdict
from ...records.opening import Records
from ...records.reading import thumbnail_of
from ...records.verdicts import Verdict
from ...service.findings import Finding
from ..intake.lifetime import DeadlineDep, while_wanted
from ..problems import NoOverlay, PhotoNotKept, responses
from ..record_schemas import VerdictId
from ..services import Services, ServicesDep
from ..stored import stored

router = APIRouter(prefix="/verdicts/{id}", tags=["records"])

# By a file's first bytes. What is none of these is handed out as bytes that no browser shows.
_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (b"BM", "image/bmp", "bmp"),
    (b"RIFF", "image/webp", "webp"),
    (b"II*\0", "image/tiff", "tif"),
    (b"MM\0*", "image/tiff", "tif"),
)
# As far as the score of a photo may lie from the one before: other photos in its pass, another
# engine. It tells another crop or mask.
_SAME = 0.01


def _picture(*kinds: str) -> dict[int | str, dict[str, Any]]:
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {200: {"description": "the picture", "content": content}}


@router.get(
    "/photo",
    summary="The photo",
    response_class=Response,
    responses=responses(UnknownVerdict, PhotoNotKept, RecordsUnavailable)
    | _picture("image/*", "application/octet-stream"),
)
async def get_photo(parts: ServicesDep, id: VerdictId) -> Response:  # noqa: A002
    """The bytes as they were sent."""
    verdict = await stored(parts, id)
    photo = await _photo(parts, verdict)
    kind, ending = "application/octet-stream", "bin"
    if verdict.width is not None:  # it was read as what it says it is
        found = ((k, e) for start, k, e in _KINDS if photo.startswith(start))
        kind, ending = next(found, (kind, ending))
    how = "attachment" if ending == "bin" else "inline"
    headers = {"Content-Disposition": f'{how}; filename="{verdict.id}.{ending}"'}
    return Response(photo, media_type=kind, headers=headers)


@router.get(
    "/thumbnail",
    summary="The photo, small",
    response_class=Response,
    responses=responses(UnknownVerdict, PhotoNotKept, RecordsUnavailable) | _picture("image/webp"),
)
async def get_thumbnail(parts: ServicesDep, id: VerdictId) -> Response:  # noqa: A002
    """At most 256 pixels a side. It is kept as long as the verdict, also where the photo is not."""
    verdict = await stored(parts, id)
    webp = await parts.records.ask(partial(thumbnail_of, sha256=verdict.sha256))
    if webp is None:
        raise PhotoNotKept("there is no thumbnail of this photo")
    return Response(webp, media_type="image/webp")


@router.get(
    "/overlay",
    summary="The anomaly map on the photo",
    response_class=Response,
    responses=responses(
        UnknownVerdict,
        PhotoNotKept,
        NoOverlay,
        RecordsUnavailable,
        errors.Overloaded,
        errors.DeadlineExceeded,
    )
    | _picture("image/png"),
)
async def get_overlay(
    request: Request,
    parts: ServicesDep,
    id: VerdictId,  # noqa: A002
    until: DeadlineDep,
) -> Response:
    """Drawn again by the bank version that judged it, as long as that is kept; it need not serve.
    The photo must be kept, too."""
    verdict = await stored(parts, id)
    if verdict.verdict == "unusable":
        raise NoOverlay("a photo that cannot be judged has no map")
    photo = await _photo(parts, verdict)
    parts.inspector.check()  # before a bank is loaded for it
    detector = await while_wanted(request, until, _same_bank(parts, verdict))
    for view in await _views(parts, verdict):
        with parts.inspector.admit([detector], view=view, heatmap=True) as permit:
            work = parts.inspector.inspect(
                permit, photo, until=until, heatmap=True, is_counted=False
            )
            found = (await while_wanted(request, until, work))[verdict.category]
        if not isinstance(found, Finding) or found.overlay is None:
            raise NoOverlay("the method of this bank has no maps, or the photo cannot be judged")
        if _is_same(found, verdict):
            return Response(found.overlay, media_type="image/png")
    raise NoOverlay(
        "judged again the photo gets another score, or other places: its camera's crop or mask is "
        "not what it was"
    )


def _is_same(found: Finding, verdict: Verdict) -> bool:
    """Whether it says what was said: about the same score, and the same place first."""
    score = found.inspection.score
    if not math.isclose(score, verdict.score or 0.0, rel_tol=_SAME, abs_tol=1e-4):
        return False
    if not (found.regions and verdict.regions):
        return len(found.regions) == len(verdict.regions)
    now, then = found.regions[0], verdict.regions[0]
    beside = now.right <= then["left"] or then["right"] <= now.left
    above = now.bottom <= then["top"] or then["bottom"] <= now.top
    return not (beside or above)


async def _photo(parts: Services, verdict: Verdict) -> bytes:
    def read(records: Records) -> bytes | None:
        return records.photos.read(verdict.sha256)

    if (photo := await parts.records.ask(read)) is None:
        raise PhotoNotKept("this photo is not kept, or not any more (GOODSGUARD_RECORDS_PHOTOS)")
    return photo


async def _same_bank(parts: Services, verdict: Verdict) -> Detector:
    """The bank version that judged it: the one that serves, or one that is kept."""
    category, version = verdict.category, verdict.bank_version
    entry = parts.registry.entries.get(category)
    if isinstance(entry, Detector) and entry.manifest.bank_version == version:
        return entry
    try:
        return await parts.older.detector(category, version)
    except (errors.NoSuchVersion, errors.UnknownCategory) as exc:
        raise NoOverlay(
            f"bank version {version} has judged it, and is not kept any more: nothing else can "
            "draw its map"
        ) from exc
    except errors.GoodsGuardError as exc:
        raise NoOverlay(
            f"bank version {version} has judged it, and cannot be used any more: {exc.public}"
        ) from exc


async def _views(parts: Services, verdict: Verdict) -> Iterator[View]:
    """What of the photo was judged, as far as the camera tells: all that it shows, or a place."""
    if verdict.camera is None:
        return iter((WHOLE_VIEW,))
    await parts.cameras.refresh()
    try:
        camera = parts.cameras.find(verdict.camera)
    except errors.CameraError as exc:
        raise NoOverlay(f"its camera cannot be asked for its crop and mask: {exc}") from exc
    if verdict.place is not None:
        return iter([place.view for place in camera.places if place.name == verdict.place])
    # Verdicts of older versions do not say whether it was one of the camera's places.
    places = [place.view for place in camera.places if place.category == verdict.category]
    return iter((camera.view, *places))

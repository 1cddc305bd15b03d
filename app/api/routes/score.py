"""POST /score: one photo, a batch, one photo by several categories or of a camera's places."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from ...core import errors
from ...core.detector import Detector
from ...core.photo.view import WHOLE_VIEW, View
from ...service.cameras_file import Camera
from .. import answers
from ..intake.lifetime import DeadlineDep, while_wanted
from ..intake.uploads import read_photo, read_photos
from ..middleware.admission import PhotoRoute
from ..problems import BadUpload, BodyTooLarge, NotAnImageType, responses
from ..schemas import Batch, Categories, CategoryName, Score
from ..services import Services, ServicesDep

# Photos are refused here while the queue is full, before anything is done for them.
router = APIRouter(prefix="/score", tags=["score"], route_class=PhotoRoute)

Heatmap = Annotated[
    bool, Query(description="add the anomaly map as an overlay PNG (methods with patches only)")
]

Explain = Annotated[
    bool,
    Query(
        description="add the photo's most anomalous places, and for each the nearest patches of "
        "good photos with their pictures (methods that keep patches of good photos)"
    ),
]


async def _camera(
    parts: ServicesDep,
    camera: Annotated[
        str | None,
        Query(
            max_length=64,
            description="whose photo it is, of those in the file of cameras (GOODSGUARD_CAMERAS): "
            "its crop and mask say what of the photo is judged",
        ),
    ] = None,
) -> Camera | None:
    if camera is None:
        return None
    await parts.cameras.refresh()
    return parts.cameras.find(camera)


CameraDep = Annotated[Camera | None, Depends(_camera)]

_IMAGE_ERRORS = (
    errors.UnknownCamera,
    errors.CameraUnavailable,
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
    response_model=Score,
    responses=responses(*_IMAGE_ERRORS),
    openapi_extra=_ONE_PHOTO,
)
async def score(
    request: Request,
    parts: ServicesDep,
    category: CategoryName,
    until: DeadlineDep,
    camera: CameraDep,
    heatmap: Heatmap = False,
    explain: Explain = False,
) -> Score | Response:
    """Judge one photo: the multipart field `file`, or the image itself as the body."""
    detector = parts.registry.detector(category)
    request.state.log = {"category": category} | answers.of_camera(camera)
    parts.inspector.check()
    upload = await read_photo(request, until)
    with parts.inspector.admit([detector], view=_view(camera)) as permit:
        work = parts.inspector.inspect(
            permit, upload.data, until=until, heatmap=heatmap, explain=explain
        )
        found = await while_wanted(request, until, work)
    answer = partial(answers.one, request, detector, upload, found[category], camera)
    return await answers.sent(answer, large=heatmap or explain)


@router.post(
    "/{category}/batch",
    summary="Score several photos",
    response_model=Batch,
    responses=responses(*_IMAGE_ERRORS),
    openapi_extra=_PHOTOS,
)
async def score_batch(
    request: Request,
    parts: ServicesDep,
    category: CategoryName,
    until: DeadlineDep,
    camera: CameraDep,
    heatmap: Heatmap = False,
) -> Batch | Response:
    """Judge several photos: the multipart field `files`. One result or one problem per file."""
    detector = parts.registry.detector(category)
    request.state.log = {"category": category} | answers.of_camera(camera)
    parts.inspector.check()
    uploads = await read_photos(request, until)
    photos = [upload.data for upload in uploads if not upload.too_large]
    with parts.inspector.admit([detector], len(photos), view=_view(camera)) as permit:
        work = parts.inspector.inspect_all(permit, photos, until=until, heatmap=heatmap)
        found = await while_wanted(request, until, work)
    answer = partial(answers.batch, request, detector, uploads, found, camera)
    return await answers.sent(answer, large=heatmap)


@router.post(
    "",
    summary="Score one photo by several categories",
    response_model=Categories,
    responses=responses(*_IMAGE_ERRORS),
    openapi_extra=_ONE_PHOTO,
)
async def score_by_several(
    request: Request,
    parts: ServicesDep,
    until: DeadlineDep,
    camera: CameraDep,
    category: Annotated[
        list[Annotated[str, Query(max_length=64)]] | None,
        Query(
            min_length=1,
            max_length=256,
            description="repeated; one item in the answer each; as many as a batch may have photos;"
            " without any, the camera's places are judged",
        ),
    ] = None,
    heatmap: Heatmap = False,
    explain: Explain = False,
) -> Categories | Response:
    """Judge one photo by several banks, for who does not know which goods it shows.

    Categories whose banks share a feature spec and an engine share the embedding, too; and all
    share one decode where they want the photo at the same scale.

    With a camera and no category, each place that the camera shows is judged by its own category:
    one decode, and one pass for all that share a network.
    """
    if category is None:
        return await _score_places(request, parts, until, camera, heatmap=heatmap, explain=explain)
    asked = parts.registry.look_up(dict.fromkeys(category))
    if len(asked) > (most := parts.settings.max_batch):
        msg = f"{len(asked)} are asked for, {most} may be (GOODSGUARD_MAX_BATCH): ask in parts"
        raise _invalid("category", "too_long", msg)
    detectors = [found for found in asked.values() if isinstance(found, Detector)]
    drawn = heatmap or explain
    parts.inspector.check(parts.inspector.places(detectors, heatmap=drawn))
    upload = await read_photo(request, until)
    with parts.inspector.admit(detectors, view=_view(camera), heatmap=drawn) as permit:
        work = parts.inspector.inspect(
            permit, upload.data, until=until, heatmap=heatmap, explain=explain
        )
        found = await while_wanted(request, until, work)
    answer = partial(answers.several, request, upload, asked, found, camera)
    return await answers.sent(answer, large=heatmap or explain)


async def _score_places(
    request: Request,
    parts: Services,
    until: float,
    camera: Camera | None,
    *,
    heatmap: bool,
    explain: bool,
) -> Categories | Response:
    if camera is None:
        raise _invalid("category", "missing", "Field required, or a camera that has places")
    if not camera.places:
        raise _invalid("category", "no_places", "the camera has no places: name categories")
    if len(camera.places) > (most := parts.settings.max_batch):
        msg = f"it has {len(camera.places)} places, {most} may be judged (GOODSGUARD_MAX_BATCH)"
        raise _invalid("camera", "too_long", msg)
    known = parts.registry.look_up(dict.fromkeys(place.category for place in camera.places))
    asked = [(place, known[place.category]) for place in camera.places]
    serving = [(one, place.view) for place, one in asked if isinstance(one, Detector)]
    request.state.log = answers.of_camera(camera)
    parts.inspector.check(max(1, len(serving)))
    upload = await read_photo(request, until)
    with parts.inspector.admit_parts(serving) as permit:
        work = parts.inspector.inspect_parts(
            permit, upload.data, until=until, heatmap=heatmap, explain=explain
        )
        found = await while_wanted(request, until, work)
    answer = partial(answers.places, request, upload, camera, asked, found)
    return await answers.sent(answer, large=heatmap or explain)


def _view(camera: Camera | None) -> View:
    return WHOLE_VIEW if camera is None else camera.view


def _invalid(parameter: str, kind: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("query", parameter), "msg": message}])

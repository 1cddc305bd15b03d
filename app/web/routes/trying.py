"""Try: a photo judged at once, by one bank or two side by side; nothing of it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.types import Scope

from ...api.answers import explained
from ...api.intake.lifetime import DeadlineDep, while_wanted
from ...api.intake.uploads import Upload, read_photo_form
from ...api.middleware.admission import PhotoRoute
from ...api.problems import BadUpload, Problem, RequestError, problem
from ...api.security import count
from ...api.services import Services, ServicesDep
from ...core.crew import beside
from ...core.detector import Detector
from ...core.errors import GoodsGuardError, NotAnImage, Overloaded
from ...core.photo.images import FORMATS
from ...service.findings import Found
from ...service.pool import all_of
from ..page_route import PageRoute, is_script, refused, told, who
from ..rendering import render
from ..trial import Side, Trial, Unjudged, shown_photo, side, titles
from ..trial_choices import Absent, Bank, choices, chosen
from ..viewers import Viewer, ViewerDep, change


class TrialRoute(PageRoute, PhotoRoute):
    """Refused early while the queue is full, in words for people."""

    async def refused(self, exc: Overloaded, scope: Scope) -> Response:
        request = Request(scope)
        return refused(request, exc, await who(request))


router = APIRouter(prefix="/page", include_in_schema=False, route_class=TrialRoute)

Name = Annotated[str, Query(max_length=200)]
# What the form says beside the photo. `picture`: the browser cannot show the photo itself.
_FIELDS = ("category", "against", "picture")


@router.get("/try")
async def try_form(
    request: Request, viewer: ViewerDep, parts: ServicesDep, category: Name = "", against: Name = ""
) -> Response:
    """The form; a link may choose the categories."""
    fields = {"category": category, "against": against}
    return await beside(partial(_page, request, viewer, parts, fields))


@router.post("/try", dependencies=[Depends(change)])
async def try_photo(
    request: Request, viewer: ViewerDep, parts: ServicesDep, until: DeadlineDep
) -> Response:
    """Judge a photo: a part of the page for its script, the whole page for a plain form."""
    fields: dict[str, str] = {}
    try:
        count(request, parts, viewer.session.key if viewer.session else None)
        parts.inspector.check()
        upload, fields = await read_photo_form(request, until, _FIELDS)
        if not (upload.data or upload.filename):
            raise BadUpload("choose a photo first")
        names = fields["category"], fields["against"]
        asked = chosen(parts.registry, parts.older, *names)
        banks = await while_wanted(request, until, asked)
        trial = await _judged(request, parts, until, upload, banks, fields)
    except (GoodsGuardError, RequestError) as exc:
        if is_script(request):
            raise  # a line, which the script shows beside the form
        said, headers = told(request, exc)
        page = partial(_page, request, viewer, parts, fields, fault=said, headers=headers)
        return await beside(page)
    # Megabytes of overlays: not on the event loop.
    if is_script(request):
        return await beside(partial(render, request, "try_result.html", viewer, trial=trial))
    return await beside(partial(_page, request, viewer, parts, fields, trial=trial))


async def _judged(
    request: Request,
    parts: Services,
    until: float,
    upload: Upload,
    banks: Sequence[Bank],
    fields: dict[str, str],
) -> Trial:
    """The photo's way is the API's; each bank has a pass of its own, so that its score is the one
    that the API answers, and two versions of one category can be asked."""
    inspector, settings = parts.inspector, parts.settings
    detectors = [one for one in banks if isinstance(one, Detector)]
    with ExitStack() as stack:
        permits = [stack.enter_context(inspector.admit([one], heatmap=True)) for one in detectors]
        work = [
            inspector.inspect(
                permit, upload.data, until=until, heatmap=True, explain=True, is_counted=False
            )
            for permit in permits
        ]
        answers = await while_wanted(request, until, all_of(work))
        found = [one[d.manifest.category] for one, d in zip(answers, detectors, strict=True)]
        faults = [one for one in found if isinstance(one, Exception)]
        if len(faults) == len(found):
            raise _for_people(explained(faults[0], upload))
        picture = None
        if fields["picture"] or not is_script(request):
            show = partial(shown_photo, upload.data, detectors[0], settings.max_pixels)
            picture = await beside(show)
    judged = iter(found)
    each = [one.error if isinstance(one, Absent) else next(judged) for one in banks]
    make = partial(_trial, request, upload, banks, each, picture)
    trial = await beside(make)
    request.state.log = {
        "trial": [one.title for one in trial.sides],
        "verdicts": [one.verdict for one in trial.sides],
    }
    return trial


def _for_people(exc: Exception) -> Exception:
    """Of what is no image: what it is, as the API says it, and what a person does then."""
    if isinstance(exc, NotAnImage):
        what, kinds = str(exc).partition(":")[0], f"({', '.join(FORMATS)})"
        said = "choose a photo" if "supported format" in what else f"choose a photo {kinds}"
        return NotAnImage(f"{what}: {said}")
    return exc


def _trial(
    request: Request,
    upload: Upload,
    banks: Sequence[Bank],
    found: Sequence[Found | GoodsGuardError],
    picture: str | None,
) -> Trial:
    sides: list[Side | Unjudged] = []
    for title, one in zip(titles(banks), found, strict=True):
        if isinstance(one, Exception):
            said = problem(explained(one, upload), request.state.request_id)
            sides.append(Unjudged(title, said.detail))
        else:
            sides.append(side(title, one, upload.received_ms))
    return Trial(tuple(sides), picture, is_plain=not is_script(request))


def _page(
    request: Request,
    viewer: Viewer,
    parts: Services,
    fields: dict[str, str],
    *,
    trial: Trial | None = None,
    fault: Problem | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    return render(
        request,
        "try.html",
        viewer,
        status=fault.status if fault else 200,
        headers=headers,
        title="Try a photo",
        choices=choices(parts.registry, parts.settings.models_dir),
        category=fields.get("category", ""),
        against=fields.get("against", ""),
        formats=FORMATS,
        max_bytes=parts.settings.max_bytes,
        max_pixels=parts.settings.max_pixels,
        trial=trial,
        fault=fault,
    )

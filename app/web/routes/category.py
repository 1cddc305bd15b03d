"""One category: its threshold to be tried and set, its evaluation, its versions."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from ...api.evaluating import evaluation_started
from ...api.services import Services, ServicesDep
from ...api.versions import count, rolled_back
from ...core.crew import beside
from ...core.judging.calibration import Fixed
from ...service.thresholds import use_threshold
from ..category_page import category_page, evaluated_so_far
from ..forms import read_form
from ..page_route import PageRoute
from ..rendering import number, percent, render
from ..viewers import BadForm, ViewerDep, change, needs

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)

Done = Literal["threshold", "rollback", "evaluation"]
Name = Annotated[str, Query(max_length=64)]
_ADMIN = [Depends(change), Depends(needs("admin"))]


@router.get("/category")
async def category(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    name: Name,
    done: Done | None = None,
) -> Response:
    """The page; `done`: what was done a moment ago."""
    shown = await category_page(parts, name)
    return render(
        request,
        "category.html",
        viewer,
        title=name,
        entry="categories",
        page=shown,
        done=done,
    )


@router.get("/category/evaluation")
async def evaluation(
    request: Request, parts: ServicesDep, viewer: ViewerDep, name: Name
) -> Response:
    """Where the evaluation stands; asked again and again while one is under way."""
    manifest = parts.registry.detector(name).manifest
    evaluated = await beside(partial(evaluated_so_far, parts, manifest), "files")
    return render(
        request, "evaluation_part.html", viewer, name=name, evaluated=evaluated, partly=True
    )


@router.post("/evaluation", dependencies=_ADMIN)
async def start_evaluation(request: Request, parts: ServicesDep) -> Response:
    """Start one, or join the one under way."""
    name = (await read_form(request)).get("name", "")
    await evaluation_started(parts, parts.registry.detector(name))
    return _back(name, "evaluation")


@router.post("/rollback", dependencies=_ADMIN)
async def roll_back(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """Go back to a stored version, once that is confirmed."""
    form = await read_form(request)
    name, to = form.get("name", ""), form.get("to", "")
    serving = _serving(parts, name)
    if form.get("confirmed") != "yes":
        what = [("Bank version that serves", serving or "none", to)]
        return _confirm(request, viewer, name, "Go back to this version", what, form)
    await rolled_back(parts, name, to)
    return _back(name, "rollback")


@router.post("/threshold", dependencies=_ADMIN)
async def set_threshold(request: Request, parts: ServicesDep, viewer: ViewerDep) -> Response:
    """Let a new version with this threshold serve, once that is confirmed."""
    form = await read_form(request)
    name, value = form.get("name", ""), _score(form.get("value", ""))
    detector = parts.registry.detector(name)
    if form.get("confirmed") != "yes":
        before = detector.manifest.threshold
        after = Fixed(threshold=value).promise(detector.calibration.scores)
        what = [
            ("Threshold", number(before.value), number(value)),
            ("Promised false alarms", percent(before.alpha), percent(after)),
        ]
        return _confirm(request, viewer, name, "Use this threshold", what, form)
    work = partial(
        use_threshold,
        parts.settings.models_dir,
        parts.reloads,
        name,
        form.get("version", ""),
        value,
        signed=parts.settings.trusted_keys is not None,
    )
    _, results = await beside(work, "threshold")
    count(parts, results)
    return _back(name, "threshold")


def _score(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BadForm("a threshold is a number from 0 on")
    return value


def _serving(parts: Services, name: str) -> str | None:
    detector = parts.registry.detectors.get(name)
    return detector.manifest.bank_version if detector else None


def _confirm(
    request: Request,
    viewer: ViewerDep,
    name: str,
    deed: str,
    changes: list[tuple[str, str, str]],
    form: dict[str, str],
) -> Response:
    return render(
        request,
        "confirm.html",
        viewer,
        title=deed,
        entry="categories",
        name=name,
        deed=deed,
        changes=changes,
        fields=form | {"confirmed": "yes"},
    )


def _back(name: str, done: Done) -> Response:
    return RedirectResponse(f"category?{urlencode({'name': name, 'done': done})}", 303)

"""One category: its threshold to be tried and set, its evaluation, its versions."""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from ...api.evaluating import evaluation_started
from ...api.services import ServicesDep
from ...api.versions import count, reloaded, rolled_back
from ...core.crew import beside
from ...core.store.manifest import VERSION_PATTERN
from ...service.thresholds import use_threshold
from ..category_page import category_page, evaluated_so_far
from ..changing import (
    Change,
    changes_of_threshold,
    changes_of_version,
    effect_of,
    nothing_changes,
)
from ..forms import read_form
from ..page_route import PageRoute
from ..rendering import render
from ..viewers import BadForm, Viewer, ViewerDep, change, needs

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)

Done = Literal["threshold", "rollback", "evaluation", "reload"]
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


@router.post("/reload", dependencies=_ADMIN)
async def reload(request: Request, parts: ServicesDep) -> Response:
    """Try once more what could not be taken up."""
    name = (await read_form(request)).get("name", "")
    await reloaded(parts)
    return _back(name, "reload") if name else RedirectResponse("health?done=reload", 303)


@router.get("/rollback", dependencies=[Depends(needs("admin"))])
async def ask_to_roll_back(
    request: Request, parts: ServicesDep, viewer: ViewerDep, name: Name, to: Name
) -> Response:
    """What going to a stored version would change, and the form; nothing changes by it."""
    changes = await changes_of_version(parts, name, _version(to))
    return _confirm(request, viewer, "Go back to this version", changes, {"name": name, "to": to})


@router.post("/rollback", dependencies=_ADMIN)
async def roll_back(request: Request, parts: ServicesDep) -> Response:
    """Go back to a stored version."""
    form = await read_form(request)
    name = form.get("name", "")
    await rolled_back(parts, name, _version(form.get("to", "")))
    return _back(name, "rollback")


@router.get("/category/effect")
async def tried(parts: ServicesDep, name: Name, value: Name) -> dict[str, Any]:
    """What a threshold that somebody has typed would have done, for a script."""
    return asdict(await effect_of(parts, name, _score(value)))


@router.get("/threshold", dependencies=[Depends(needs("admin"))])
async def ask_to_set_threshold(
    request: Request,
    parts: ServicesDep,
    viewer: ViewerDep,
    name: Name,
    value: Name,
    version: Name = "",
) -> Response:
    """What another threshold would change, and the form; nothing changes by it."""
    changes = await changes_of_threshold(parts, name, _score(value))
    fields = {"name": name, "value": value, "version": version}
    return _confirm(request, viewer, "Use this threshold", changes, fields)


@router.post("/threshold", dependencies=_ADMIN)
async def set_threshold(request: Request, parts: ServicesDep) -> Response:
    """Let a new version with this threshold serve."""
    form = await read_form(request)
    name, value = form.get("name", ""), _score(form.get("value", ""))
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
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BadForm("a threshold is a number from 0 on")
    return value


def _version(text: str) -> str:
    if not VERSION_PATTERN.fullmatch(text):
        raise BadForm("this address names no bank version")
    return text


def _confirm(
    request: Request,
    viewer: Viewer,
    deed: str,
    changes: list[Change],
    fields: dict[str, str],
) -> Response:
    return render(
        request,
        "confirm.html",
        viewer,
        title=deed,
        entry="categories",
        deed=deed,
        changes=changes,
        is_done=nothing_changes(changes),
        name=fields["name"],
        fields=fields,
    )


def _back(name: str, done: Done) -> Response:
    return RedirectResponse(f"category?{urlencode({'name': name, 'done': done})}", 303)

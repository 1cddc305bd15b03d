"""/evaluate: how well the banks do on their stored test splits."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from ...core.crew import beside
from ...core.errors import CategoryUnavailable, NoTestSplit, UnknownCategory
from ...core.evaluating.evaluation import Evaluation
from ..evaluating import evaluation_started, evaluation_status
from ..problems import responses
from ..schemas import CategoryName, EvaluationList, EvaluationStatus
from ..security import require_scope
from ..services import ServicesDep

router = APIRouter(prefix="/evaluate", tags=["evaluate"])

_CATEGORY_ERRORS = (UnknownCategory, CategoryUnavailable)


@router.post(
    "/{category}",
    summary="Evaluate a category",
    status_code=202,
    # It costs the machine minutes, where a score costs it milliseconds.
    dependencies=[Depends(require_scope("admin"))],
    response_model=EvaluationStatus,
    responses=responses(*_CATEGORY_ERRORS, NoTestSplit)
    | {200: {"model": Evaluation, "description": "with `wait=true`: the result"}},
)
async def start_evaluation(
    parts: ServicesDep,
    category: CategoryName,
    wait: Annotated[bool, Query(description="answer with the result, once it is there")] = False,
) -> Response:
    """Score the stored test split in the background. A job under way is joined, not doubled."""
    detector = parts.registry.detector(category)
    future = await evaluation_started(parts, detector)
    if not wait:
        status = await beside(partial(evaluation_status, parts, detector.manifest), "status")
        return _json(status, 202)
    # Shielded: a client that goes away must not stop a job that others may have joined.
    result = await asyncio.shield(asyncio.wrap_future(future))
    return _json(result, 200)


@router.get("", summary="The latest evaluations", responses=responses())
def list_evaluations(parts: ServicesDep) -> EvaluationList:
    """Of every category that serves: the latest result, and the progress of one under way."""
    return EvaluationList(
        evaluations=[
            evaluation_status(parts, d.manifest) for d in parts.registry.detectors.values()
        ]
    )


@router.get("/{category}", summary="The latest evaluation", responses=responses(*_CATEGORY_ERRORS))
def get_evaluation(parts: ServicesDep, category: CategoryName) -> EvaluationStatus:
    """The latest result for the serving bank version, and the progress of one under way."""
    return evaluation_status(parts, parts.registry.detector(category).manifest)


def _json(body: EvaluationStatus | Evaluation, status: int) -> Response:
    return Response(body.model_dump_json(), status, media_type="application/json")

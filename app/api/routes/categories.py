"""GET /categories: what is loaded."""

from __future__ import annotations

from fastapi import APIRouter

from ...core.detector import Detector
from ...core.errors import UnknownCategory
from ...service.registry import Unavailable, no_such
from ..problems import responses
from ..schemas import CategoryInfo, CategoryList, CategoryName
from ..services import Services, ServicesDep

router = APIRouter(prefix="/categories", tags=["categories"])


@router.get("", summary="All categories", responses=responses())
def list_categories(parts: ServicesDep) -> CategoryList:
    """Every category below the models folder, whether it serves, and with what."""
    entries = parts.registry.entries
    return CategoryList(categories=[_info(parts, name, entry) for name, entry in entries.items()])


@router.get("/{category}", summary="One category", responses=responses(UnknownCategory))
def get_category(parts: ServicesDep, category: CategoryName) -> CategoryInfo:
    """State, bank version, preset, counts, threshold, last evaluation."""
    entry = parts.registry.entries.get(category)
    if entry is None:
        raise no_such(category, parts.registry.entries)
    return _info(parts, category, entry)


def _info(parts: Services, category: str, entry: Detector | Unavailable) -> CategoryInfo:
    if isinstance(entry, Unavailable):
        return CategoryInfo(category=category, state="unavailable", reason=entry.reason)
    m = entry.manifest
    return CategoryInfo(
        category=category,
        state="ready",
        bank_version=m.bank_version,
        preset=m.preset,
        created_at=m.created_at,
        backbone=m.features.backbone,
        engine=entry.engine,
        input_size=m.features.preprocess.input_size,
        white_level=m.features.preprocess.white_level,
        method=m.method.kind,
        facts=m.method.facts,
        vectors=m.method.facts.get("vectors"),
        dimensions=m.method.facts.get("dimensions"),
        training_images=m.counts.images,
        calibration_scores=m.counts.calibration_scores,
        threshold=m.threshold.value,
        alpha=m.threshold.alpha,
        last_evaluation=parts.evaluations.stored(m),
    )

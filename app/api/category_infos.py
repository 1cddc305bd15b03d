"""What is told of a category."""

from __future__ import annotations

from ..core.detector import Detector
from ..service.registry import Unavailable
from .schemas import CategoryInfo
from .services import Services


def category_info(parts: Services, category: str, entry: Detector | Unavailable) -> CategoryInfo:
    """State, bank version, preset, counts, threshold, last evaluation; reads the latter's file."""
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

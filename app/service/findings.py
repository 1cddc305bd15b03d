"""What is found on a photo, and drawn of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.detector import Detector
from ..core.errors import ImageError, NonFiniteScore
from ..core.judging.anomaly_map import Region
from ..core.judging.backdrop import Backdrop
from ..core.judging.explanation import Explanation
from ..core.judging.inspection import Inspection


@dataclass(frozen=True)
class Finding:
    """What one category says of one photo.

    Attributes:
        regions: where the map exceeds the threshold; empty for normal photos.
        overlay: a PNG, where it was asked for and the method has maps.
        timings_ms: the inspection's, and `map`, the drawing and explaining.
        explanation: where it was asked for.
    """

    detector: Detector
    inspection: Inspection
    regions: Sequence[Region]
    overlay: bytes | None
    timings_ms: dict[str, float]
    explanation: Explanation | None = None


# What is said in its place where the photo cannot be judged; any other error ends the request.
Unusable = ImageError | NonFiniteScore
Found = Finding | Unusable


def draw(
    detector: Detector, inspection: Inspection, backdrop: Backdrop | None, *, explained: bool
) -> tuple[list[Region], bytes | None, Explanation | None]:
    """Regions, the overlay where there is something to draw on, and the explanation if wanted."""
    overlay = detector.overlay(backdrop, inspection) if backdrop is not None else None
    explanation = detector.explain(inspection) if explained else None
    return detector.regions(inspection), overlay, explanation

"""A photo that somebody tries: what one bank, or each of two, says of it, as the page shows it.

A trial is no verdict: it is neither recorded nor counted.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..core.detector import Detector
from ..core.judging.anomaly_map import Region
from ..core.judging.backdrop import OVERLAY_SIDE, reduced
from ..core.judging.explanation import Place, Shown
from ..core.photo.box import Box
from ..core.photo.images import decode
from ..service.findings import Finding
from .score_histogram import ScoreHistogram, score_histogram
from .score_words import against_threshold, among_good
from .trial_choices import Bank, named

_QUALITY = 85
# The stages in the order in which a photo meets them, as people call them.
_STAGES: Mapping[str, str] = {
    "receive": "the photo arriving",
    "decode": "decoding it",
    "wait": "waiting for its turn",
    "embed": "the network",
    "search": "comparing with good photos",
    "map": "drawing and explaining",
}


@dataclass(frozen=True)
class Patch:
    """A cell of a photo, with what is around it.

    Attributes:
        picture: of `part` of its photo, a data: URL; None where the bank keeps none.
        box: the cell, on the same photo.
    """

    caption: str
    box: Box
    part: Box | None = None
    picture: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SimilarPatches:
    """A place of the photo, and the patches of good photos that are most similar to it."""

    place: Patch
    nearest: tuple[Patch, ...]


@dataclass(frozen=True)
class Side:
    """What one bank says.

    Attributes:
        title: the category, with its version where two of one category are compared.
        overlay: a data: URL, over the whole photo; None where the method has no maps.
        width, height: pixels of the upright photo; regions: places on it.
        patches: the most anomalous places beside good ones; why_none: why there are none.
    """

    title: str
    detector: Detector = field(repr=False)
    verdict: str
    score: float
    threshold: float
    alpha: float
    width: int
    height: int
    format: str
    against_threshold: str
    among_good: str
    histogram: ScoreHistogram
    overlay: str | None = field(repr=False)
    regions: tuple[Region, ...]
    timings: tuple[tuple[str, float], ...]
    patches: tuple[SimilarPatches, ...]
    why_none: str | None

    reason = None  # it is judged

    @property
    def share(self) -> float:
        """The part of the photo that is above the threshold."""
        return sum(region.area for region in self.regions) / (self.width * self.height)


@dataclass(frozen=True)
class Unjudged:
    """A bank that cannot judge this photo, though another can."""

    title: str
    reason: str

    verdict = "unusable"


@dataclass(frozen=True)
class Trial:
    """All of it.

    Attributes:
        picture: the photo, a data: URL; None where the browser shows its own.
        is_plain: for a page without scripts: the map cannot be faded there.
    """

    sides: tuple[Side | Unjudged, ...]
    picture: str | None = field(repr=False)
    is_plain: bool

    @property
    def has_overlay(self) -> bool:
        """Whether there is something to lay over the photo."""
        return any(isinstance(side, Side) and side.overlay for side in self.sides)


def titles(banks: Sequence[Bank]) -> list[str]:
    """What each is called beside the others."""
    names = [named(bank) for bank in banks]
    categories = [category for category, _ in names]
    if len(set(categories)) == len(categories):
        return categories
    return [f"{category} {version or ''}".rstrip() for category, version in names]


def side(title: str, found: Finding, received_ms: float) -> Side:
    """What is shown of a finding."""
    inspection, calibration = found.inspection, found.detector.calibration
    explanation = found.explanation
    timings = {"receive": received_ms} | found.timings_ms
    return Side(
        title=title,
        detector=found.detector,
        verdict=inspection.verdict,
        score=inspection.score,
        threshold=inspection.threshold,
        alpha=inspection.alpha,
        width=inspection.width,
        height=inspection.height,
        format=inspection.format,
        against_threshold=against_threshold(inspection.score, inspection.threshold),
        among_good=among_good(inspection.p_value, len(calibration.scores)),
        histogram=score_histogram(calibration, inspection.score),
        overlay=data_url(found.overlay, "image/png") if found.overlay else None,
        regions=tuple(found.regions),
        timings=tuple((label, timings[stage]) for stage, label in _STAGES.items()),
        patches=tuple(_similar(place) for place in explanation.places) if explanation else (),
        why_none=explanation.reason if explanation else None,
    )


def _similar(place: Place) -> SimilarPatches:
    own = Patch(f"this photo, score {place.score:.3g}", place.box, *_shown(place.picture))
    nearest = [
        Patch(
            f"good photo {one.photo}, distance {one.distance:.3g}",
            one.box,
            *_shown(one.picture),
        )
        for one in place.nearest
    ]
    return SimilarPatches(own, tuple(nearest))


def _shown(picture: Shown | None) -> tuple[Box, str] | tuple[None, None]:
    return (picture.part, data_url(picture.jpeg, "image/jpeg")) if picture else (None, None)


def shown_photo(data: bytes, detector: Detector, max_pixels: int) -> str:
    """The photo upright, as the bank sees it, of at most 1024 pixels a side: a data: URL, for
    browsers that cannot show the file themselves.

    Raises:
        ImageError: it is none.
    """
    white = detector.extractor.spec.preprocess.white_level
    side = (OVERLAY_SIDE, OVERLAY_SIDE)
    picture = reduced(decode(data, max_pixels=max_pixels, at_least=side, white_level=white).rgb)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=2)
    return data_url(buffer.getvalue(), "image/webp")


def data_url(picture: bytes, kind: str) -> str:
    """A picture inside the page."""
    return f"data:{kind};base64,{base64.b64encode(picture).decode()}"

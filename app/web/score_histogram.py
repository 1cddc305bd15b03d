"""A bank's calibration scores as a histogram, with a photo's score beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ..core.judging.calibration import Calibration
from .rendering import number

_BINS = 40  # as the reports draw them
# A score further out than this, in widths of the good photos' axis, is marked at its end: drawn to
# scale it would leave the good ones a sliver.
_FURTHEST = 5.0


@dataclass(frozen=True)
class ScoreHistogram:
    """What a chart needs.

    Attributes:
        edges: of the bins, one more than counts; counts: good photos in each.
        start, end: of the axis; a score beyond `end` is marked there.
        lowest, highest: the good photos' scores.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    start: float
    end: float
    threshold: float
    score: float
    photos: int
    lowest: float
    highest: float

    @property
    def values(self) -> dict[str, object]:
        """What the script draws."""
        return asdict(self)

    @property
    def is_beyond(self) -> bool:
        """Whether the score lies beyond the axis."""
        return self.score > self.end

    @property
    def caption(self) -> str:
        """The same in words."""
        beyond = ", beyond the right edge" if self.is_beyond else ""
        return (
            f"Scores of {self.photos:,} good photos, from {number(self.lowest)} to "
            f"{number(self.highest)}; threshold {number(self.threshold)} (dashed); this photo "
            f"{number(self.score)} (solid{beyond})."
        )


def score_histogram(calibration: Calibration, score: float) -> ScoreHistogram:
    """The calibration scores in bins that reach to the threshold, and an axis that reaches to the
    score where it can."""
    scores = calibration.scores.astype(np.float64)
    counts, edges = np.histogram(
        scores, np.histogram_bin_edges(np.append(scores, calibration.threshold), _BINS)
    )
    first, last = float(edges[0]), float(edges[-1])
    margin = (last - first) * 0.04
    furthest = first + (last - first) * _FURTHEST
    return ScoreHistogram(
        edges=tuple(float(f"{edge:.6g}") for edge in edges),
        counts=tuple(int(count) for count in counts),
        start=min(first, score) - margin,
        end=min(max(last, score), furthest) + margin,
        threshold=calibration.threshold,
        score=score,
        photos=len(scores),
        lowest=float(scores.min()),
        highest=float(scores.max()),
    )

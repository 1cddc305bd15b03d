"""Two histograms as one small picture: an outline for the good photos, bars for those since."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.judging.drift import Drift

WIDTH, HEIGHT = 192, 48


@dataclass(frozen=True)
class DriftChart:
    """An SVG of `width` × `height`.

    Attributes:
        bars, outline: paths: of the photos, and of the calibration scores.
        threshold: its x; None: it lies beyond all scores.
        low, high: the scores at both ends.
    """

    bars: str
    outline: str
    threshold: float | None
    low: float
    high: float
    width: int = WIDTH
    height: int = HEIGHT


def drift_chart(found: Drift, threshold: float) -> DriftChart:
    """Both over the same bins, the highest of all filling the height."""
    highest = max(*found.calibration, *found.photos)
    good, came = (
        [share / highest * (HEIGHT - 1) for share in of] for of in (found.calibration, found.photos)
    )
    step = WIDTH / len(came)
    bars = "".join(
        f"M{i * step:.1f} {HEIGHT}V{HEIGHT - height:.1f}h{step - 1:.1f}V{HEIGHT}z"
        for i, height in enumerate(came)
        if height > 0
    )
    outline = "".join(f"V{HEIGHT - height:.1f}h{step:.1f}" for height in good)
    low, high = found.edges[0], found.edges[-1]
    at = (threshold - low) / (high - low) * WIDTH
    line = round(at, 1) if 0 <= at <= WIDTH else None
    return DriftChart(bars, f"M0 {HEIGHT}{outline}V{HEIGHT}", line, low, high)

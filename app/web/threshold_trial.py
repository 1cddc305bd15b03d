"""What every threshold would have done: to good training photos, last week's, reviewed ones.

A page that drags a threshold asks nobody: it looks into these tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.judging.calibration import Calibration, Fixed
from ..records.opening import Records
from ..records.scores import Scores, reviewed_scores, scores

Floats = npt.NDArray[np.float64]

WEEK = timedelta(days=7)
# Steps of the slider: fine enough for a finger on any screen.
_STEPS = 800
_BINS = 60
# How far beyond the threshold the plot reaches, in distances from its lowest score.
_REACH = 4.0


@dataclass(frozen=True)
class Known:
    """The scores that bank versions of one build have given, by what is known of the photos."""

    week: Scores
    good: Scores
    defective: Scores


@dataclass(frozen=True)
class Layer:
    """One kind of photos.

    Attributes:
        name: good photos of the training, last week's, reviewed as good, reviewed as defective.
        number: how many scores there are. more: there are others, which were not looked at.
        above: for each value of the grid, how many lie strictly above it.
        bars: (bins,) their heights, from 0 to 1; one that holds a photo can be seen.
        beyond: how many lie beyond the plot, and stand in its last bar.
    """

    name: str
    number: int
    more: bool
    above: list[int]
    bars: list[float]
    beyond: int


@dataclass(frozen=True)
class Effect:
    """What one threshold would have done: `promised` false alarms; scores `above` it, by layer."""

    value: float
    promised: float
    above: Mapping[str, int]


@dataclass(frozen=True)
class Trial:
    """What thresholds would have done.

    Attributes:
        low, high: of the plot. ticks: round numbers between them, ends included.
        grid: the thresholds that can be chosen, ascending; the serving one is among them.
        start: its place. promised: for each the promised false-alarm rate.
        days: on how many of last week's days photos came, at least one.
    """

    low: float
    high: float
    ticks: list[float]
    grid: list[float]
    start: int
    promised: list[float]
    days: int
    layers: Mapping[str, Layer]

    def place(self, value: float) -> float:
        """Where a score stands in the plot, from 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def tables(self) -> dict[str, Any]:
        """What a script needs."""
        return {
            "low": self.low,
            "high": self.high,
            "grid": self.grid,
            "start": self.start,
            "promised": self.promised,
            "days": self.days,
            "above": {name: layer.above for name, layer in self.layers.items()},
            "number": {name: layer.number for name, layer in self.layers.items()},
        }


def known(records: Records, category: str, versions: Sequence[str], now: datetime) -> Known:
    """What is recorded of photos that these versions have judged."""
    return Known(
        scores(records, category, versions, now - WEEK),
        reviewed_scores(records, category, versions, "good"),
        reviewed_scores(records, category, versions, "defective"),
    )


def trial(calibration: Calibration, recorded: Known | None) -> Trial:
    """Try every threshold of a grid.

    Args:
        recorded: None: there are no records.
    """
    serving = float(calibration.threshold)
    # As the calibration compares: its scores are of single precision.
    training = np.sort(calibration.scores)
    samples = {
        name: np.sort(values).astype(np.float64)
        for name, values in _samples(calibration, recorded).items()
    }
    is_more = recorded is not None and recorded.week.more
    more = {name: name == "week" and is_more for name in samples}
    low, high, ticks = frame(samples, serving)
    grid = _grid(low, high, serving)
    layers = {}
    for name, values in samples.items():
        exact = training if name == "training" else values
        above = len(exact) - np.searchsorted(exact, grid.astype(exact.dtype), side="right")
        layers[name] = Layer(
            name,
            len(values),
            more[name],
            above.tolist(),
            bars(values, low, high),
            int((values > high).sum()),
        )
    promised = (1 + np.array(layers["training"].above)) / (len(training) + 1)
    start = int(np.searchsorted(grid, serving))
    rates = [round(float(rate), 9) for rate in promised]
    rates[start] = calibration.alpha  # its own rule has promised it
    days = max(1, recorded.week.days) if recorded else 1
    return Trial(low, high, ticks, grid.tolist(), start, rates, days, layers)


def effect(calibration: Calibration, recorded: Known | None, value: float) -> Effect:
    """What one threshold would have done, one beyond the grid included."""
    above = {
        name: int((values > values.dtype.type(value)).sum())
        for name, values in _samples(calibration, recorded).items()
    }
    if value == calibration.threshold:
        return Effect(value, calibration.alpha, above)
    return Effect(value, Fixed(threshold=value).promise(calibration.scores), above)


def _samples(calibration: Calibration, recorded: Known | None) -> dict[str, npt.NDArray[Any]]:
    """Scores by layer; those of the training of single precision, as the calibration compares."""
    named: dict[str, npt.NDArray[Any]] = {"training": calibration.scores}
    if recorded is not None:
        named |= {"week": recorded.week.values}
        named |= {"good": recorded.good.values, "bad": recorded.defective.values}
    return named


def frame(samples: Mapping[str, Floats], serving: float) -> tuple[float, float, list[float]]:
    """A range of round numbers that shows all that matters for a threshold."""
    everything = np.concatenate([*samples.values(), [serving]])
    low = max(0.0, float(everything.min()))
    reach = low + _REACH * max(serving - low, 1e-9)
    high = max(min(float(everything.max()), reach), float(samples["training"].max()), serving)
    step = _round_step((high - low or abs(high) or 1.0) * 1.02 / 5)
    first, last = np.floor(low / step), np.ceil(high * 1.0001 / step)
    if last <= first:
        last = first + 1
    ticks = [float(f"{number * step:.10g}") for number in np.arange(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def _round_step(about: float) -> float:
    scale = 10.0 ** np.floor(np.log10(about))
    return float(scale * next(m for m in (1, 2, 2.5, 5, 10) if m * scale >= about * 0.999))


def _grid(low: float, high: float, serving: float) -> Floats:
    """Thresholds of few digits, and the serving one as it is."""
    step = _round_step((high - low) / _STEPS)
    values = np.round(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step, 12)
    return np.unique(np.concatenate([values[values >= 0], [serving]]))


def bars(values: Floats, low: float, high: float) -> list[float]:
    """Heights by the square root of counts: few photos far out matter as much as many within."""
    counts, _ = np.histogram(np.clip(values, low, high), _BINS, (low, high))
    most = counts.max() if counts.size else 0
    if not most:
        return [0.0] * _BINS
    return [round(float(np.sqrt(number / most)), 4) for number in counts]

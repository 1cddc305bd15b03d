"""What an evaluation and a comparison draw alike: scores by label, and ROC curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from sklearn.metrics import roc_curve

from .style import DEFECTIVE, GOOD, GREY, INK

Scores = npt.NDArray[np.float64]


def draw_histogram(
    axes: Axes,
    good: Scores,
    defective: Scores,
    threshold: float,
    bins: int = 40,
    others: str = "defective",
) -> None:
    """Scores of good and defective photos, with the threshold.

    Only the good ones are filled: two fills would mix to a third colour where they overlap.

    Args:
        others: what the legend calls those that are not good.
    """
    edges = np.histogram_bin_edges(np.concatenate([good, defective, [threshold]]), bins)
    counts = np.histogram(good, edges)[0]
    axes.stairs(counts, edges, fill=True, color=GOOD, alpha=0.18, linewidth=0)
    axes.stairs(counts, edges, color=GOOD, linewidth=1.8, label=f"good ({len(good)})")
    if len(defective):
        counts = np.histogram(defective, edges)[0]
        label = f"{others} ({len(defective)})"
        axes.stairs(counts, edges, color=DEFECTIVE, linewidth=1.8, label=label)
    axes.axvline(threshold, color=INK, linestyle="--", linewidth=1.3)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("photos")


def draw_roc(axes: Axes, good: Scores, defective: Scores, **line: Any) -> tuple[Scores, Scores]:
    """A ROC curve.

    Returns:
        (n,) false-alarm rates and (n,) recalls.
    """
    labels = np.repeat([0, 1], [len(good), len(defective)])
    false_alarms, recall, _ = roc_curve(labels, np.concatenate([good, defective]))
    axes.plot(false_alarms, recall, linewidth=1.8, **line)
    return false_alarms, recall


def frame_roc(axes: Axes) -> None:
    """The square that ROC curves lie in, with the line of chance."""
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set(xlabel="false-alarm rate", ylabel="recall")

"""The pictures of an evaluation, one function each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from ..core.evaluating.evaluation import Evaluation, EvaluationRun, ScoredImage
from ..core.evaluating.outcome import by_label
from ..core.photo.dataset import GOOD, evenly
from ..core.photo.images import decode
from .plots import draw_histogram, draw_roc, frame_roc
from .style import DEFECTIVE, DEFECTS, GREY, INK, bare, canvas, literal, styled
from .style import GOOD as GREEN

# Beyond this many test images t-SNE takes minutes and its picture is a blot.
_TSNE_LIMIT = 2000
_WORST = 4  # misses and false alarms shown


@styled
def histogram(run: EvaluationRun) -> Figure:
    """Scores of good and defective images, with the threshold."""
    e = run.evaluation
    figure, axes = canvas(8, 4.5)
    draw_histogram(axes, *by_label(run.scored), e.threshold)
    axes.annotate(
        f"threshold {e.threshold:.3g}",
        (e.threshold, 1),
        xycoords=("data", "axes fraction"),
        xytext=(5, -14),
        textcoords="offset points",
    )
    axes.set_xlabel("anomaly score")
    axes.set_title(f"{e.category}: {_auroc(e)}")
    axes.legend()
    return figure


@styled
def pair(run: EvaluationRun) -> Figure:
    """The clearest correct pair: the good image of lowest, the defective of highest score.

    Where the threshold calls none of a label correctly, the nearest miss is shown and named so. A
    photo that was learnt from scores about 0; it is no example unless there is no other.
    """
    e = run.evaluation
    calm = [s for s in run.scored if not s.image.is_defective]
    good = min(calm, key=lambda s: (s.image.path in run.leaked, s.score))
    bad = max((s for s in run.scored if s.image.is_defective), key=lambda s: s.score)
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, scored, colour in ((axes[0], good, GREEN), (axes[1], bad, DEFECTIVE)):
        verdict = "anomalous" if scored.score > e.threshold else "normal"
        right = (verdict == "anomalous") == scored.image.is_defective
        ax.imshow(decode(scored.image.path.read_bytes()).rgb)
        ax.set_title(
            f"{literal(scored.image.defect_type)}: score {scored.score:.3g}\n"
            f"verdict {verdict}{'' if right else ' (wrong)'}, {literal(scored.image.path.name)}",
            color=colour,
            fontweight="normal",
        )
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=colour, linewidth=3)
    figure.suptitle(f"{e.category}: threshold {e.threshold:.3g}", color=INK)
    return figure


@styled
def errors(run: EvaluationRun, overlay: Callable[[bytes], bytes | None]) -> Figure:
    """The worst misses and the worst false alarms at the deployed threshold, with their maps."""
    threshold = run.evaluation.threshold
    missed = [s for s in run.scored if s.image.is_defective and s.score <= threshold]
    alarms = [s for s in run.scored if not s.image.is_defective and s.score > threshold]
    rows = (
        (f"missed: {len(missed)}", sorted(missed, key=lambda s: s.score), DEFECTIVE),
        (f"false alarms: {len(alarms)}", sorted(alarms, key=lambda s: -s.score), GREEN),
    )
    figure = Figure(figsize=(2.9 * _WORST, 6.6), layout="constrained")
    table = figure.subplots(2, _WORST)
    for line, (title, scored, colour) in zip(table, rows, strict=True):
        line[0].set_ylabel(title, color=colour, fontsize=12)
        if not scored:
            line[0].text(0.5, 0.5, "none", ha="center", va="center", color=GREY, fontsize=14)
        for axes, one in zip_longest(line, scored[:_WORST]):
            bare(axes)
            if one is not None:
                photo = one.image.path.read_bytes()
                axes.imshow(decode(overlay(photo) or photo).rgb)
                kind = literal(one.image.defect_type, 24)
                text = f"{kind}: {one.score:.3g}\n{literal(one.image.path.name, 32)}"
                axes.set_title(text, fontsize=9, fontweight="normal")
    figure.suptitle(f"{run.evaluation.category}: worst errors at threshold {threshold:.3g}")
    return figure


@styled
def roc(run: EvaluationRun) -> Figure:
    """The ROC curve with the deployed threshold's point."""
    e = run.evaluation
    figure, axes = canvas(5.5, 5.5)
    frame_roc(axes)
    false_alarms, recall = draw_roc(axes, *by_label(run.scored), color=INK)
    axes.fill_between(false_alarms, recall, color=GREEN, alpha=0.12)
    point = (e.at_threshold.false_alarm_rate or 0.0, e.at_threshold.recall or 0.0)
    axes.plot(*point, "o", color=DEFECTIVE, markersize=9)
    near_right = point[0] > 0.5
    axes.annotate(
        f"threshold {e.threshold:.3g}\nrecall {point[1]:.1%}, false alarms {point[0]:.1%}",
        point,
        xytext=(-12 if near_right else 12, -30 if point[1] > 0.2 else 12),
        textcoords="offset points",
        ha="right" if near_right else "left",
    )
    axes.set_title(f"{e.category}: {_auroc(e)}", fontsize=9.5)
    return figure


@styled
def confusion(e: Evaluation) -> Figure:
    """Counts at the deployed threshold, with each row's rates: coloured by right and wrong, the
    stronger the more of its row a cell holds."""
    at = e.at_threshold
    counts = np.array([[at.tn, at.fp], [at.fn, at.tp]])
    rates = counts / counts.sum(axis=1, keepdims=True)
    figure = Figure(figsize=(5.5, 4.8), layout="constrained")
    axes = figure.subplots()
    colours = [[GREEN, DEFECTIVE], [DEFECTIVE, GREEN]]
    axes.imshow(
        [
            [to_rgba(c, 0.06 + 0.4 * r) for c, r in zip(*line, strict=True)]
            for line in zip(colours, rates, strict=True)
        ]
    )
    for row in range(2):
        for column in range(2):
            axes.text(
                column,
                row,
                f"{counts[row, column]}\n{rates[row, column]:.1%}",
                ha="center",
                va="center",
                fontsize=15,
                color=INK,
            )
    axes.set_xticks([0, 1], ["normal", "anomalous"])
    axes.set_yticks([0, 1], ["good", "defective"])
    axes.set_xlabel("verdict")
    axes.set_ylabel("label")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{e.category}: threshold {e.threshold:.3g}")
    return figure


@styled
def tsne(
    scored: Sequence[ScoredImage], embeddings: npt.NDArray[np.float32], category: str
) -> Figure:
    """The test split's embeddings in two dimensions, by defect type (van der Maaten 2008)."""
    assert len(scored) == len(embeddings)
    rows = evenly(range(len(scored)), _TSNE_LIMIT)
    types = np.array([scored[row].image.defect_type for row in rows])
    # Perplexity must stay below the number of points; 30 is the usual value.
    perplexity = max(1.0, min(30.0, (len(rows) - 1) / 3))
    figure, axes = canvas(7, 6)
    if len(rows) > 2:
        model = TSNE(perplexity=perplexity, init="pca", random_state=0)
        points = model.fit_transform(embeddings[rows].astype(np.float64))
        defects = sorted(set(types) - {GOOD})
        for index, name in enumerate((GOOD, *defects)):
            colour = GREEN if name == GOOD else DEFECTS[(index - 1) % len(DEFECTS)]
            chosen = points[types == name]
            label = f"{literal(name, 30)} ({len(chosen)})"
            x, y = chosen[:, 0], chosen[:, 1]
            axes.scatter(x, y, s=22, color=colour, alpha=0.75, linewidths=0, label=label)
    bare(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_title(f"{category}: t-SNE of the test split's embeddings")
    return figure


def _auroc(e: Evaluation) -> str:
    low, high = e.auroc_ci95
    return f"AUROC {e.auroc:.3f} (95 % interval {low:.3f} to {high:.3f})"

"""What a person looks at after an evaluation: pictures per category and a summary page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..core.evaluating.evaluation import Evaluation, EvaluationRun
from ..core.files import write_whole
from . import pictures
from .markdown import cell, sentence
from .style import Tell, save_each, silent


def write_report(
    folder: Path,
    run: EvaluationRun,
    embeddings: npt.NDArray[np.float32],
    overlay: Callable[[bytes], bytes | None] = lambda _photo: None,
    tell: Tell = silent,
) -> list[Path]:
    """Write the six pictures of one category.

    Args:
        overlay: a photo's bytes -> its anomaly map as a PNG; None for global methods.
        embeddings: (n, D) float32, one vector per image of `run.scored`, for the t-SNE picture.
        tell: called with a sentence for each picture that cannot be drawn.

    Returns:
        the files written.
    """
    name = run.evaluation.category
    figures = {
        "hist": lambda: pictures.histogram(run),
        "good_defect_pair": lambda: pictures.pair(run),
        "roc": lambda: pictures.roc(run),
        "confusion": lambda: pictures.confusion(run.evaluation),
        "errors": lambda: pictures.errors(run, overlay),
        "tsne": lambda: pictures.tsne(run.scored, embeddings, name),
    }
    return save_each({folder / f"{name}_{kind}.png": f for kind, f in figures.items()}, tell)


def write_summary(folder: Path, evaluations: Sequence[Evaluation]) -> Path:
    """Write `summary.md`: what to know first, the table over all, each one's pictures."""
    first = [f"- **{e.category}: {sentence(text)}**" for e in evaluations for text in e.remarks]
    lines = ["# Evaluation", "", *first, *([""] if first else []), *_summary_table(evaluations), ""]
    for e in evaluations:
        lines += _summary_section(e)
    path = folder / "summary.md"
    write_whole(path, "\n".join(lines))
    return path


def _summary_table(evaluations: Sequence[Evaluation]) -> list[str]:
    lines = [
        "| category | preset | good / defective | AUROC (95 %) | AP | F1-max | recall | "
        "false alarms promised | false alarms observed (95 %) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for e in evaluations:
        at = e.at_threshold
        low, high = at.false_alarm_rate_ci95
        lines.append(
            f"| {e.category} | {cell(e.preset)} | {e.n_good} / {e.n_defective} "
            f"| {e.auroc:.3f} ({e.auroc_ci95[0]:.3f} to {e.auroc_ci95[1]:.3f}) "
            f"| {e.average_precision:.3f} | {e.f1_max:.3f} | {_percent(at.recall)} | {e.alpha:.2%} "
            f"| {_percent(at.false_alarm_rate)} ({low:.1%} to {high:.1%}) |"
        )
    if len(evaluations) > 1:
        mean = math.fsum(e.auroc for e in evaluations) / len(evaluations)
        lines += ["", f"Mean AUROC over {len(evaluations)} categories: {mean:.3f}."]
    return lines


def _summary_section(e: Evaluation) -> list[str]:
    lines = [
        f"## {e.category}",
        "",
        f"Bank `{e.bank_version}`{f' on {e.engine}' if e.engine else ''}, "
        f"threshold {e.threshold:.4f}, "
        f"{e.images_per_second:.1f} images/s, {e.n_unreadable} unreadable.",
        "",
        "| defect type | n | AUROC | recall |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {cell(name)} | {d.n} | {d.auroc:.3f} | {d.recall:.1%} |"
        for name, d in e.per_defect.items()
    ]
    if e.pixel_auroc is not None and e.aupro is not None:
        lines += ["", f"Pixel AUROC {e.pixel_auroc:.3f}, AUPRO (to 0.3) {e.aupro:.3f}."]
    lines.append("")
    for kind in ("hist", "roc", "confusion", "good_defect_pair", "errors", "tsne"):
        lines += [f"![{e.category} {kind}]({e.category}_{kind}.png)", ""]
    return lines


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"

"""The pictures of a comparison's page: SVG that takes the page's colours, and small photos."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from itertools import cycle
from xml.sax.saxutils import quoteattr

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

from ..core.evaluating.outcome import Outcome, by_label
from ..core.photo.images import decode
from .plots import draw_histogram, draw_roc, frame_roc
from .style import DASHES, INK, SERIES, canvas, styled

SIDE = 320  # pixels of a small photo's longer side

# What the page needs no second time, or not at all.
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.S)
_STYLE_SHEET = re.compile(r"<style.*?</style>", re.S)
_SIZE = re.compile(r'(<svg[^>]*?) (?:width|height)="[\d.]+pt"')
_ID = re.compile(r' id="([^"]+)"')


@styled
def roc_svg(outcomes: Sequence[Outcome], name: str) -> str:
    """The ROC curves of all presets that were evaluated, with each one's threshold."""
    figure, axes = canvas(4.6, 5.0)
    frame_roc(axes)
    for outcome, colour, dashes in zip(outcomes, cycle(SERIES), cycle(DASHES), strict=False):
        if (e := outcome.evaluation) is not None:
            label = f"{outcome.preset} {e.auroc:.3f}"
            good, defective = by_label(outcome.scored)
            draw_roc(axes, good, defective, color=colour, linestyle=dashes, label=label)
            at = e.at_threshold
            point = (at.false_alarm_rate or 0.0, at.recall or 0.0)
            axes.plot(*point, "o", color=colour, markersize=6, markeredgecolor=INK)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=1, fontsize=9)
    return svg(figure, name)


@styled
def histogram_svg(outcome: Outcome, name: str, others: str = "defective") -> str:
    """One preset's scores by label, on an axis of its own, with its threshold.

    Args:
        others: what the legend calls photos that are not good.
    """
    assert outcome.bank is not None
    figure, axes = canvas(3.5, 2.7)
    good, bad = by_label(outcome.scored)
    draw_histogram(axes, good, bad, outcome.bank.threshold, bins=30, others=others)
    axes.set_title(outcome.preset, color=INK)
    axes.set_xlabel("its own score; dashed: its threshold")
    axes.legend(fontsize=8, handlelength=1.2)
    return svg(figure, name)


def svg(figure: Figure, name: str) -> str:
    """A figure as an <svg> element of a page.

    Ink becomes the page's text colour, so that one picture does for light and dark. What another
    element refers to keeps its id, made unlike those of the page's other pictures.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = _STYLE_SHEET.sub("", _PROLOGUE.sub("", buffer.getvalue()))
    for _ in range(2):
        text = _SIZE.sub(r"\1", text, count=1)
    text = re.sub(INK, "currentColor", text, flags=re.IGNORECASE)
    text = _ID.sub(lambda found: found[0] if f"#{found[1]}" in text else "", text)
    return text.replace("<svg", f'<svg role="img" aria-label={quoteattr(name)}', 1)


def thumbnail(photo: bytes) -> bytes:
    """A photo or overlay, at most SIDE pixels on its longer side, as a JPEG: pages stay small."""
    rgb = decode(photo, at_least=(SIDE, SIDE)).rgb
    rgb.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()

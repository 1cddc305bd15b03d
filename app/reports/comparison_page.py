"""The page of a comparison: one HTML file that needs no other, and the figures as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..core.evaluating.comparison import Comparison, overall
from ..core.evaluating.outcome import Outcome
from ..core.evaluating.timing import TIMED
from ..core.files import shown, write_whole
from ..core.photo.dataset import LabelledImage
from .comparison_pictures import histogram_svg, roc_svg
from .comparison_table import cells, columns

TEMPLATE = "comparison.html"


@dataclass(frozen=True)
class Tile:
    """One preset's view of one photo.

    Attributes:
        rank: of the photo among the split's by this preset's score, 0 (calmest) to 1.
        overlay: its anomaly map on the photo, a JPEG; None for a global method.
    """

    preset: str
    rank: float
    score: float
    threshold: float
    is_anomalous: bool
    overlay: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Shown:
    """A photo on which presets disagree; `photo` is a JPEG."""

    image: LabelledImage
    photo: bytes = field(repr=False)
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Compared:
    """One category: its figures, the scores behind them, the photos to show."""

    comparison: Comparison
    outcomes: tuple[Outcome, ...]
    shown: tuple[Shown, ...]


def write_figures(path: Path, compared: Sequence[Compared]) -> None:
    """Write a list of comparison objects, one per category."""
    objects = [one.comparison.model_dump(mode="json") for one in compared]
    write_whole(path, json.dumps(objects, indent=2) + "\n")


def write_page(
    path: Path,
    compared: Sequence[Compared],
    descriptions: Mapping[str, str],
    limit: int | None = None,
) -> Path:
    """Write the page.

    Args:
        descriptions: of the presets, in their order.
        limit: that many photos were used at most, of each kind.
    """
    # A fault's words may name a file, whose name may hold what no page can.
    write_whole(path, render(compared, descriptions, limit).encode("utf-8", "backslashreplace"))
    return path


def render(
    compared: Sequence[Compared], descriptions: Mapping[str, str], limit: int | None = None
) -> str:
    """The page's text; every name in it is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters.update(jpeg=_jpeg, shown=shown)
    source = resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        sentence=overall([one.comparison for one in compared]),
        descriptions=descriptions,
        parts=[_part(one) for one in compared],
        limit=limit,
        timed=TIMED,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=__version__,
    )


def _part(one: Compared) -> dict[str, object]:
    """What the template needs of a category."""
    c = one.comparison
    drawn = [o for o in one.outcomes if o.scored and o.bank is not None]
    evaluated = [o for o in drawn if o.evaluation is not None]
    bad = "drawn damage" if c.drawn else "defective"
    roc = f"ROC curves of the presets on {c.category}"
    panels = {o.preset: f"scores of {o.preset} on {c.category}" for o in drawn}
    return {
        "comparison": c,
        "columns": columns(c),
        "rows": [(row, cells(row, c)) for row in c.rows],
        "engines": sorted({row.bank.engine for row in c.rows if row.bank}),
        # Drawn by us, with every name escaped by the drawing library.
        "roc": Markup(roc_svg(evaluated, roc)) if evaluated else "",  # noqa: S704
        "histograms": [Markup(histogram_svg(o, panels[o.preset], bad)) for o in drawn],  # noqa: S704
        "shown": one.shown,
    }


def _jpeg(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"

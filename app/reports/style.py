"""The one palette and style of all plots: this package's, the benches', the scripts'."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..core.files import whole_file

# Okabe and Ito's colours, told apart by colour-blind readers too (Color Universal Design, 2008).
GREEN, VERMILLION, BLUE, ORANGE = "#009E73", "#D55E00", "#0072B2", "#E69F00"
PINK, SKY = "#CC79A7", "#56B4E9"
INK, GREY, PALE = "#222222", "#8A8A8A", "#999999"
PALE_BLUE, PALE_ORANGE = "#7FB8D8", "#F2CF80"  # the second of a pair of bars
OUTLINE = "#FF2BD6"  # around a mask, on a photo: no goods have this colour

GOOD, DEFECTIVE = GREEN, VERMILLION
# Defect types beside each other, none of them the green of good.
DEFECTS = (VERMILLION, ORANGE, PINK, BLUE, SKY, "#5D3A9B", "#A0522D", GREY)
# Presets beside each other: none has the colour of a label, and lines differ in their dashes too.
SERIES = (BLUE, ORANGE, PINK, SKY, "#5D3A9B", GREY)
DASHES = ("-", "--", "-.", ":")

STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.dpi": 110,
    # File names and defect types are drawn as they are: a `$` in one starts no formula.
    "text.parse_math": False,
}

P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Draw in the style."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return inside


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of one plot, inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def bare(axes: Axes) -> None:
    """No ticks and no frame: for photos."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


@styled  # ticks are made as late as here
def save(figure: Figure, path: Path) -> None:
    """Write a picture, whole or not at all."""
    with whole_file(path) as partial:
        figure.savefig(partial, dpi=110)

"""The one palette and style of all plots: this package's, the benches', the scripts'."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..core.files import shown, whole_file

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


def literal(name: str, most: int = 40) -> str:
    """A name as it is drawn: what cannot be seen escaped, the middle of a long one left out.

    A label that starts with `_` would be left out of a legend: it gets a space before.
    """
    text = shown(name)
    if len(text) > most:
        text = f"{text[: most // 2 - 1]}…{text[-(most - most // 2) :]}"
    return f" {text}" if text.startswith("_") else text


@styled  # ticks are made as late as here
def save(figure: Figure, path: Path) -> None:
    """Write a picture, whole or not at all."""
    with whole_file(path) as partial, warnings.catch_warnings():
        # A character that the font lacks is drawn as a box; nobody needs a line for each.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(partial, dpi=110)


Tell = Callable[[str], object]


def silent(_text: str) -> None:
    """Tells nobody."""


def save_each(pictures: Mapping[Path, Callable[[], Figure]], tell: Tell = silent) -> list[Path]:
    """Draw and write pictures; one that cannot be drawn costs neither the others nor the figures.

    Args:
        tell: called with a sentence for each that is not drawn.

    Returns:
        the files written.

    Raises:
        OSError: one cannot be written; then the others cannot, either.
    """
    written: list[Path] = []
    for path, draw in pictures.items():
        try:
            figure = draw()
        except Exception as exc:  # a drawing library's, a photo's that is gone: whatever it is
            tell(_not_drawn(path, exc))
            continue
        try:
            save(figure, path)
        except OSError:
            raise
        except Exception as exc:  # texts are laid out as late as here
            tell(_not_drawn(path, exc))
            continue
        written.append(path)
    return written


def _not_drawn(path: Path, exc: Exception) -> str:
    reason = " ".join(shown(str(exc)).split()) or "no reason given"
    return f"picture {path.name} was not drawn: {type(exc).__name__}: {reason[:200]}"

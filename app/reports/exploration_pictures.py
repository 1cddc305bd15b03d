"""The pictures of an exploration: a sheet of examples and a page of statistics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from PIL import Image

from ..core.photo.dataset import evenly
from ..core.photo.images import decode
from ..core.photo.masks import read_mask
from .exploration import GROUPS, Exploration, by_area
from .look_pictures import look_sheet
from .seen_photo import SeenPhoto
from .style import (
    BLUE,
    DEFECTIVE,
    GOOD,
    GREY,
    INK,
    OUTLINE,
    Tell,
    bare,
    literal,
    save_each,
    silent,
    styled,
)

_COLOURS = dict(zip(GROUPS, (GOOD, BLUE, DEFECTIVE), strict=True))
_PER_FOLDER, _SHOWN = 6, 384  # photos of a folder on the sheet, and how large they are decoded


def write_pictures(folder: Path, found: Exploration, tell: Tell = silent) -> list[Path]:
    """Write `<category>_explore.png`, `<category>_stats.png` and, of a bank, `<category>_look.png`.

    Args:
        tell: called with a sentence where one of them cannot be drawn.
    """
    draw = {"explore": lambda: sheet(found), "stats": lambda: stats(found)}
    if (bank := found.bank) is not None:
        draw["look"] = lambda: look_sheet(bank.seen)
    return save_each(
        {folder / f"{found.category}_{kind}.png": figure for kind, figure in draw.items()}, tell
    )


@styled
def sheet(found: Exploration) -> Figure:
    """Examples of each folder, spread evenly over it, with the masks' outlines."""
    places = {name: photos for name, photos in found.places().items() if photos}
    figure = Figure(
        figsize=(1.9 * _PER_FOLDER, 2.15 * max(1, len(places)) + 0.6), layout="constrained"
    )
    table = figure.subplots(max(1, len(places)), _PER_FOLDER, squeeze=False)
    for axes in table.flat:
        bare(axes)
    for row, (place, photos) in zip(table, places.items(), strict=False):
        label = "\n".join(literal(part) for part in place.split("/", 1))
        row[0].set_ylabel(f"{label}\n({len(photos)})", color=_COLOURS[photos[0].group], fontsize=11)
        readable = [p for p in photos if p.size is not None]
        for axes, photo in zip(row, evenly(readable, _PER_FOLDER), strict=False):
            rgb = decode(
                photo.image.path.read_bytes(),
                at_least=(_SHOWN, _SHOWN),
                white_level=found.white_level,
            ).rgb
            rgb.thumbnail((_SHOWN, _SHOWN))
            axes.imshow(rgb)
            axes.set_xlabel(literal(photo.image.path.name, 24), color=GREY, fontsize=7)
            if photo.image.mask is not None and photo.masked and photo.size is not None:
                marks = read_mask(photo.image.mask, photo.size).astype(np.uint8) * 255
                mask = Image.fromarray(marks).resize(rgb.size, Image.Resampling.BOX)
                # A rim of 0 closes the outline of a defect that the photo's edge cuts.
                rim = np.pad(np.asarray(mask), 1)
                x, y = np.arange(-1, rgb.width + 1), np.arange(-1, rgb.height + 1)
                axes.contour(x, y, rim, levels=[127.5], colors=OUTLINE, linewidths=1.4)
                axes.set(xlim=(-1, rgb.width), ylim=(rgb.height, -1))
    figure.suptitle(f"{found.category}: examples of each folder", color=INK)
    return figure


@styled
def stats(found: Exploration) -> Figure:
    """Sizes, brightness, contrast; the good photos' mean and spread; the masks' areas."""
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    (sizes, bright, contrast), (mean, spread, masks) = figure.subplots(2, 3)
    _draw_sizes(sizes, found)
    for axes, what in ((bright, "brightness"), (contrast, "contrast")):
        values = {g: [getattr(p, what) for p in found.measured(g)] for g in _COLOURS}
        edges = np.histogram_bin_edges(np.concatenate([[], *values.values()]), bins=24)
        for group, those in values.items():
            if those:
                # Shares, not counts: the groups are of different sizes.
                weights, label = [1 / len(those)] * len(those), f"{group} ({len(those)})"
                counts = np.histogram(those, edges, weights=weights)[0]
                axes.stairs(counts, edges, color=_COLOURS[group], linewidth=1.6, label=label)
        axes.set(xlabel="mean grey value" if axes is bright else "standard deviation of grey")
        axes.set(ylabel="share of photos")
        axes.set_title(what)
    if found.photos:
        bright.legend(fontsize=8)
    _draw_mean(mean, spread, found.measured("train good"))
    _draw_masks(masks, found)
    figure.suptitle(f"{found.category}: {len(found.photos)} photos", color=INK)
    return figure


def _draw_sizes(axes: Axes, found: Exploration) -> None:
    for group, colour in _COLOURS.items():
        sizes = Counter(p.size for p in found.photos if p.group == group and p.size)
        if sizes:
            width, height = zip(*sizes, strict=True)
            area = [30 + 600 * n / len(found.photos) for n in sizes.values()]
            axes.scatter(width, height, area, facecolor="none", edgecolor=colour, linewidth=1.6)
    common = Counter(p.size for p in found.photos if p.size).most_common(1)
    for size, n in common:
        text = f"{size[0]} × {size[1]}: {n / len(found.photos):.0%}"
        axes.annotate(text, size, (0, 22), textcoords="offset points", ha="center", fontsize=9)
    axes.set(xlabel="width, pixels", ylabel="height, pixels")
    sides = [p.size for p in found.photos if p.size]
    if sides:
        # From 0, so that a few pixels' difference looks as small as it is.
        axes.set(xlim=(0, 1.3 * max(w for w, _ in sides)), ylim=(0, 1.3 * max(h for _, h in sides)))
    axes.set_title("image sizes")


def _draw_mean(mean: Axes, spread: Axes, photos: Sequence[SeenPhoto]) -> None:
    for axes, title in ((mean, "mean of train/good"), (spread, "where train/good varies")):
        bare(axes)
        axes.set_title(title)
    if not photos:
        return
    sizes = by_area(photos)
    width, height = sizes[len(sizes) // 2]
    stack = np.stack([p.thumbnail for p in photos if p.thumbnail is not None]).astype(np.float32)
    mean.imshow(stack.mean(axis=0) / 255, aspect=height / width)
    deviation = stack.std(axis=0).mean(axis=-1)
    shown = spread.imshow(deviation, cmap="magma", vmin=0, aspect=height / width)
    figure = spread.figure
    figure.colorbar(shown, ax=spread, shrink=0.8, label="standard deviation of grey")


def _draw_masks(axes: Axes, found: Exploration) -> None:
    shares: dict[str, list[float]] = defaultdict(list)
    for photo in found.photos:
        if photo.masked:
            shares[photo.image.defect_type].append(100 * photo.masked)
    axes.set_title("masked area")
    if not shares:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no masks", color=GREY, ha="center", transform=axes.transAxes)
        return
    for row, values in enumerate(shares.values()):
        # Spread over the row by rank, so that equal areas do not hide each other.
        offsets = np.linspace(-0.25, 0.25, len(values)) if len(values) > 1 else np.zeros(1)
        axes.scatter(
            values, row + offsets, 16, color=_COLOURS["defective"], alpha=0.6, linewidths=0
        )
        axes.plot([np.median(values)] * 2, [row - 0.35, row + 0.35], color=INK, linewidth=2)
    axes.set_yticks(range(len(shares)), [literal(name, 24) for name in shares])
    axes.set(xscale="log", xlabel="share of the photo, % (bar: median)")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(LogFormatter())  # its usual one writes formulae
    axes.invert_yaxis()

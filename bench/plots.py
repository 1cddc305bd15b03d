"""The page's pictures, one per bench, from its figures alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from app.reports.style import BLUE, GREEN, ORANGE, PALE_BLUE, PALE_ORANGE, PINK, STYLE, canvas
from app.reports.style import PALE as GREY
from bench.machine import Figures


def latency(figures: Figures) -> Figure:
    """Embedding and search on top of each other, beside the bare backbone."""
    rows = figures["presets"][::-1]
    figure, axes = canvas(8.5, 1.2 + 0.55 * len(rows))
    places = range(len(rows))
    embed = [row["embed_ms"] for row in rows]
    search = [row["search_ms"] for row in rows]
    bare = [row["backbone_ms"]["median"] for row in rows]
    axes.barh([p + 0.19 for p in places], embed, 0.36, color=BLUE, label="embed")
    axes.barh([p + 0.19 for p in places], search, 0.36, left=embed, color=ORANGE, label="search")
    axes.barh([p - 0.19 for p in places], bare, 0.36, color=GREY, label="bare backbone")
    for place, row in zip(places, rows, strict=True):
        end = max(row["embed_ms"] + row["search_ms"], row["backbone_ms"]["median"])
        axes.annotate(
            f"{row['judge_per_backbone']['median']:.2f} ×",
            (end, place),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(list(places), [f"{row['preset']}\n{row['engine']}" for row in rows])
    axes.set_xlabel("milliseconds a photo; beside the bars: whole judge / bare backbone")
    axes.set_title(f"One photo, bank of {figures['presets'][0]['bank'][0]:,} patches", pad=24)
    _legend(axes, 3)
    return figure


def peer(figures: Figures) -> Figure | None:
    """Each contender's time with each bank."""
    if not figures["peer"]:
        return None
    rows = figures["peer"]["rows"]
    banks = sorted({row["bank"] for row in rows})
    names = list(dict.fromkeys(row["contender"] for row in rows))[::-1]
    figure, axes = canvas(8.5, 1.2 + 0.6 * len(names))
    height = 0.76 / len(banks)
    for index, bank in enumerate(banks):
        found = {row["contender"]: row for row in rows if row["bank"] == bank}
        for place, name in enumerate(names):
            ms, at = found[name]["ms"]["median"], place + 0.38 - (index + 0.5) * height
            ours = name.startswith("ours")
            colour = (BLUE if ours else ORANGE) if index else (PALE_BLUE if ours else PALE_ORANGE)
            axes.barh(at, ms, height * 0.92, color=colour)
            text = f"{ms:.0f} ms, {found[name]['times_ours']['median']:.1f} ×"
            axes.annotate(
                text, (ms, at), (4, 0), textcoords="offset points", va="center", fontsize=8
            )
    axes.set_xlim(right=1.25 * max(row["ms"]["median"] for row in rows))
    axes.set_yticks(range(len(names)), names)
    light, dark = (f"{bank:,}" for bank in (banks[0], banks[-1]))
    axes.set_xlabel(
        f"milliseconds a photo, and times ours as it serves\n"
        f"banks of {light} (light) and {dark} (dark) patches"
    )
    axes.set_title("Against anomalib's inferencers")
    return figure


def banks(figures: Figures) -> Figure:
    """Exact search and lists over the bank's size, both logarithmic, with embedding for scale."""
    rows = [row for row in figures["rows"] if row["chosen"] == "by chance"]
    figure, axes = canvas(7.5, 4.4)
    for name, colour, label in (
        ("exact_ms", ORANGE, "exact search"),
        ("lists_ms", BLUE, "lists"),
        ("embed_ms", GREY, "embedding"),
    ):
        found = [row for row in rows if row[name]]
        sizes = [row["vectors"] for row in found]
        axes.plot(sizes, [r[name]["median"] for r in found], "o-", color=colour, label=label)
        low, high = ([row[name][quartile] for row in found] for quartile in ("q1", "q3"))
        axes.fill_between(sizes, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = [row["vectors"] for row in rows if row["vectors"].bit_count() == 1]  # 20k is too near
    axes.set_xticks(ticks, [f"{count // 1024}k" for count in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    _plain_log(axes.yaxis)
    axes.grid(axis="y", alpha=0.3)
    axes.set_xlabel("patches in the bank")
    axes.set_ylabel("milliseconds a photo")
    axes.set_title("Search by bank size", pad=24)
    _legend(axes, 3)
    return figure


def service(figures: Figures) -> Figure:
    """Percentiles and throughput by clients, one column per photo."""
    photos = figures["photos"]
    figure = Figure(figsize=(8.5, 5.6), layout="constrained")
    grid = figure.subplots(2, len(photos), sharex=True, squeeze=False)
    for column, photo in enumerate(photos):
        clients = [str(row["clients"]) for row in photo["clients"]]
        above, below = grid[0][column], grid[1][column]
        for key, colour in (("p50_ms", BLUE), ("p95_ms", ORANGE), ("p99_ms", PINK)):
            values = [row[key] for row in photo["clients"]]
            above.plot(clients, values, "o-", color=colour, label=key.removesuffix("_ms"))
        above.axhline(photo["in_process_ms"]["median"], color=GREY, linestyle="--")
        above.set_yscale("log")
        _plain_log(above.yaxis)
        above.grid(axis="y", alpha=0.3)
        above.set_title(f"JPEG {photo['photo']}")
        below.bar(clients, [r["images_per_second"] for r in photo["clients"]], 0.5, color=GREEN)
        for place, row in enumerate(photo["clients"]):
            below.annotate(
                f"{row['images_per_second']:.1f}",
                (place, row["images_per_second"]),
                (0, 3),
                textcoords="offset points",
                ha="center",
            )
        below.margins(y=0.15)
        below.set_xlabel("clients")
    grid[0][0].set_ylabel("milliseconds\n(dashed: in process)")
    grid[1][0].set_ylabel("images a second")
    grid[0][0].legend(loc="upper left")
    return figure


def build(figures: Figures) -> Figure:
    """The steps of a whole build, one bar per preset."""
    presets = figures["presets"][::-1]
    figure, axes = canvas(8.5, 1.5 + 0.6 * len(presets))
    steps = list(dict.fromkeys(step for p in presets for step in p["build"]["steps_s"]))
    left = [0.0] * len(presets)
    for step, colour in zip(steps, (BLUE, ORANGE, GREEN, PINK), strict=False):
        seconds = [preset["build"]["steps_s"].get(step, 0.0) for preset in presets]
        axes.barh(range(len(presets)), seconds, 0.55, left=left, color=colour, label=step)
        left = [a + b for a, b in zip(left, seconds, strict=True)]
    for place, preset in enumerate(presets):
        axes.annotate(
            f"{preset['build']['images_per_second']:.1f} images / s",
            (left[place], place),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    axes.margins(x=0.18)
    axes.set_xlim(left=0)
    axes.set_yticks(range(len(presets)), [preset["preset"] for preset in presets])
    axes.set_xlabel("seconds")
    axes.set_title(f"A whole build of {presets[0]['build']['images']} photos", pad=24)
    _legend(axes, 4)
    return figure


def coreset(figures: Figures) -> Figure:
    """Seconds per method."""
    rows = figures["rows"][::-1]
    figure, axes = canvas(9.5, 1.0 + 0.42 * len(rows))
    ours = [row["method"].startswith(("greedy", "Streaming")) for row in rows]
    colours = [BLUE if own else ORANGE for own in ours]
    axes.barh(range(len(rows)), [row["seconds"] for row in rows], 0.6, color=colours)
    for place, row in enumerate(rows):
        axes.annotate(
            f"{row['seconds']:.2f} s, {row['times_faster']:.1f} × faster",
            (row["seconds"], place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_xlim(right=1.45 * max(row["seconds"] for row in rows))
    axes.set_yticks(range(len(rows)), [row["method"] for row in rows])
    axes.set_xlabel("seconds; ours in blue")
    axes.set_title(figures["title"])
    return figure


# file of figures -> names of pictures and what draws them
PLOTS: Mapping[str, Mapping[str, Callable[[Figures], Figure | None]]] = {
    "latency": {"latency": latency, "peer": peer},
    "banks": {"banks": banks},
    "service": {"service": service},
    "build": {"build": build},
    "coreset": {"coreset": coreset},
}


def draw(stem: str, figures: Figures, folder: Path) -> list[Path]:
    """Write the pictures of a file of figures."""
    drawn = []
    with mpl.rc_context(STYLE):
        for name, plot in PLOTS.get(stem, {}).items():
            if (figure := plot(figures)) is not None:
                # no version or date in the file: equal figures, equal pictures
                figure.savefig(folder / f"{name}.png", metadata={"Software": None})
                drawn.append(folder / f"{name}.png")
    return drawn


def _legend(axes: Axes, columns: int) -> None:
    """Between title and plot, where it covers nothing."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 0.995),
        ncols=columns,
        borderaxespad=0,
        handlelength=1.2,
    )


def _plain_log(axis: mpl.axis.Axis) -> None:
    """10, 20, 50, 100 rather than powers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())

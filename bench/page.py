"""bench/README.md and its pictures, from all figures in bench/results.

python -m bench.page
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import console
from app.core.files import write_whole
from bench import (
    accuracy,
    banks,
    batch,
    build,
    coreset,
    latency,
    plots,
    precision,
    recording,
    records,
    retention,
    service,
    sweep_page,
    tables,
)
from bench.machine import RESULTS, Figures

PAGE = Path(__file__).parent / "README.md"

INTRODUCTION = """\
# What was measured

Made by `make bench` (all of it) or `python -m bench.page` (this page, from the figures that are in
`results/`). Each section names its script, whose first lines say what is compared and how.

How to read it. Contenders of one table were timed in turn, A B C A B C …, in one run: whatever else
the machine did met all of them alike. Times are medians with quartiles in brackets. A ratio is that
of the medians within a round, again with its quartiles over the rounds; ratios carry over to other
machines, milliseconds do not. AUROC has a 95 % interval; differences within it are noise.
"""


@dataclass(frozen=True)
class Section:
    """A part of the page: its file of figures, heading, remarks, and what makes the tables."""

    stem: str
    heading: str
    remarks: str
    lines: Callable[[Any], list[str]]


def _of(page: str) -> list[str]:
    """A page of a bench without its heading."""
    return page.split("\n", 2)[2].rstrip().splitlines()


def _memory(figures: Figures) -> list[str]:
    return tables.table(
        ("photos", "patches", "their size", "bank", "peak memory", "spool s", "coreset s"),
        [
            [
                f"{figures['images']:,}",
                f"{figures['patches']:,} × {figures['dimensions']}",
                f"{figures['patches_gib']} GiB",
                f"{figures['bank']:,}",
                f"{figures['peak_rss_gib']} GiB",
                str(figures["seconds_spool"]),
                str(figures["seconds_coreset"]),
            ]
        ],
    )


SECTIONS = (
    Section(
        "latency",
        "One photo, in process",
        "`latency.py`. *Judge* is everything after decoding: embedding (which includes normalising "
        "and pooling), search, score, map, verdict. The backbone is the network alone, compiled "
        "for the same engine and fed with ready-made numbers. *Reduced*: JPEGs decoded at a "
        "fraction of their size where that suffices. anomalib's inferencers get what they wish: "
        "the photo at the network's size in float32, an export for one image. Both sides have the "
        "same weights and a bank of equally many patches of the same training photos.",
        latency.markdown,
    ),
    Section(
        "precision",
        "What bfloat16 costs",
        "`precision.py`. The bank is OpenVINO's in float32; each engine embeds the test photos and "
        "scores them against it. *Scores moved by*: the median over the photos. *Verdicts* are "
        "those at the threshold that 5 % of the good photos exceed in float32.",
        precision.markdown,
    ),
    Section(
        "banks",
        "Banks of 1,000 to 262,000 patches",
        "`banks.py`. *Lists*: `app/core/methods/knn/search.py`, planned on training photos as a "
        "build does it; compared with the exact search on test photos that no plan has seen. "
        "*Lists, read, thoroughly*: how many there are, how many are read for each patch and for "
        "the highest. "
        "*Lists beside them*: what the index holds beside the bank's vectors; *resident*: both as "
        "seen from outside, of a process of its own.",
        banks.markdown,
    ),
    Section(
        "service",
        "Over HTTP",
        "`service.py`. The real service and wrk, each a process of its own on the same cores. "
        "Percentiles are of requests that got a score; *429*: refused because the queue was full.",
        service.markdown,
    ),
    Section(
        "batch",
        "Batches on a GPU",
        "`batch.py`. The whole pass, from bytes in the host's memory and back, beside the network "
        "alone, whose numbers lie on the device.",
        batch.markdown,
    ),
    Section(
        "build",
        "Building a bank",
        "`build.py`. The embedding stage decodes on threads of its own while the network works; "
        "*prepared photos* is the same without files, *files alone* without the network. The whole "
        "build includes the calibration, which makes a bank anew for each fold.",
        build.markdown,
    ),
    Section(
        "coreset",
        "Coreset",
        "",
        lambda figures: _of(coreset.markdown(figures["title"], figures["rows"])),
    ),
    Section(
        "records",
        "Records",
        "`records.py`. A million verdicts in an SQLite file of 0.8 GB, without thumbnails. *Scores "
        "of none*: such as no verdict has, so that nothing but walking would find out; counts end "
        "at 10,000.",
        records.markdown,
    ),
    Section(
        "records_postgresql",
        "Records in PostgreSQL",
        "The same in a PostgreSQL on the same machine, which synced nothing to its disk.",
        records.markdown,
    ),
    Section(
        "recording",
        "What recording costs",
        "`recording.py`. Two services of the same bank, one of which records; wrk asks them in "
        "turn, no two photos with the same bytes. *On / off*: with records, per round; processor "
        "time is that of the service's process.",
        recording.markdown,
    ),
    Section(
        "retention",
        "Retention of photos",
        "`retention.py`. Photos of 100 days, one in 20 reviewed; the run fails where one is kept "
        "or deleted that must not be. Verdicts and thumbnails outlive them all.",
        retention.markdown,
    ),
    Section("memory", "Memory of a build", "`memory.py`, on random patches.", _memory),
    Section(
        "accuracy",
        "Accuracy, against anomalib's PatchCore",
        "",
        lambda rows: _of(accuracy.markdown(rows)),
    ),
    Section("sweep", "How the presets were chosen", "", sweep_page.summary),
)


def machine(figures: Figures) -> str:
    """One sentence on where and when a file's figures were measured."""
    versions = ", ".join(
        f"{name} {figures['versions'][name]}"
        for name in ("python", "torch", "openvino", "faiss-cpu")
        if name in figures["versions"]
    )
    return (
        f"Measured {figures['measured_at'][:10]} on {figures['cpu']} "
        f"({', '.join(figures['cpu_flags'])}), cores: {figures['cores']}, threads: "
        f"{figures['threads']}, {figures['memory_gib']} GiB; {versions}. Load average at the start "
        f"{figures['load_average'][0]}; {figures['cores_busy_by_others']} cores were busy with "
        f"other work meanwhile; {figures['seconds']:.0f} s in all."
        + (" A trial with few photos: no figure to rely on." if figures["quick"] else "")
    )


def section(part: Section, figures: Any, pictures: list[str]) -> list[str]:
    """Heading, remarks, pictures, tables, machine."""
    lines = [f"## {part.heading}", ""]
    if part.remarks:
        lines += [part.remarks, ""]
    lines += [f"![{part.heading}]({picture})\n" for picture in pictures]
    lines += [*part.lines(figures), ""]
    if isinstance(figures, Mapping) and "machine" in figures:
        lines += [machine(figures["machine"]), ""]
    return lines


def render(results: Path, folder: Path) -> str:
    """The page of all files of figures that are there; draws their pictures beside them.

    Args:
        folder: where the page will lie.
    """
    lines = [INTRODUCTION]
    for part in SECTIONS:
        file = results / f"{part.stem}.json"
        if file.is_file():
            figures = json.loads(file.read_text(encoding="utf-8"))
            drawn = plots.draw(part.stem, figures, results)
            lines += section(part, figures, [os.path.relpath(path, folder) for path in drawn])
    return "\n".join(lines).rstrip() + "\n"


def main(
    results: Annotated[Path, typer.Option(help="Where the figures are.")] = RESULTS,
    page: Annotated[Path, typer.Option(help="What to write.")] = PAGE,
) -> None:
    """Render the page and its pictures."""
    write_whole(page, render(results, page.parent))
    console.print(f"written: {page.name}")


if __name__ == "__main__":
    typer.run(main)

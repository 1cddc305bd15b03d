"""The ELPV solar cells of the PyPI package `elpv-dataset` -> the folder layout.

Buerhop-Lutz et al. 2018, "A Benchmark for Visual Identification of Defective Solar Cells in
Electroluminescence Imagery"; the images are CC BY-NC-SA 4.0 and stay in their package. Defect
probability 0.0 is good, 1.0 defective; the ambiguous 1/3 and 2/3 are left out. Six tenths of the
good images, chosen by a hash of their names, train; all others are the test split.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # this checkout, whatever is installed

from app.cli import console, run, stop
from app.core.files import whole_file

TRAIN_TENTHS = 6


def main(
    out: Annotated[Path, typer.Option(help="Folder to write elpv_mono and elpv_poly into.")],
    copy: Annotated[bool, typer.Option(help="Copy the images instead of linking them.")] = False,
) -> None:
    """Write both categories by link (or copy); running it again changes nothing."""
    try:
        folder = Path(str(resources.files("elpv_dataset"))) / "data"
    except ModuleNotFoundError as exc:
        raise stop('install the images first: pip install "elpv-dataset"') from exc
    counts: Counter[tuple[str, str]] = Counter()
    for line in (folder / "labels.csv").read_text().splitlines():
        name, probability, kind = line.split()
        if place := destination(Path(name).name, float(probability)):
            category = f"elpv_{kind}"
            put(folder / name, out / category / place / Path(name).name, copy=copy)
            counts[category, place] += 1
    console.print(_table(counts, out))


def destination(file_name: str, probability: float) -> str | None:
    """Where an image belongs below its category; None for the ambiguous ones."""
    if probability == 1.0:
        return "test/defective"
    if probability != 0.0:
        return None
    tenth = int(hashlib.sha256(file_name.encode()).hexdigest(), 16) % 10
    return "train/good" if tenth < TRAIN_TENTHS else "test/good"


def put(source: Path, target: Path, *, copy: bool) -> None:
    """Link or copy one file unless it is there already; never leaves half a file."""
    if target.exists() and target.is_symlink() != copy:
        return
    with whole_file(target) as partial:
        if copy:
            shutil.copyfile(source, partial)
        else:
            partial.symlink_to(os.path.relpath(source.resolve(), target.parent.resolve()))


def _table(counts: Counter[tuple[str, str]], out: Path) -> Table:
    table = Table(title=f"ELPV in {out}")
    table.add_column("category")
    places = ("train/good", "test/good", "test/defective")
    for place in places:
        table.add_column(place, justify="right")
    for category in sorted({category for category, _ in counts}):
        table.add_row(category, *(str(counts[category, place]) for place in places))
    return table


if __name__ == "__main__":
    run(main)

"""Command line: `python -m bench.cartons --source DIR --out DIR`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from app.cli import console, stop
from bench.cartons.dataset import Record, build
from bench.cartons.errors import CartonsError
from bench.cartons.sheet import contact_sheet


def main(
    source: Annotated[Path, typer.Option(help="Folder of <category>/{train,test}/good/*.")],
    out: Annotated[Path, typer.Option(help="Where the data set is written.")],
    seed: Annotated[int, typer.Option(help="Another seed draws other damage.")] = 0,
    contact: Annotated[
        Path | None, typer.Option("--contact-sheet", help="PNG of examples with mask outlines.")
    ] = None,
) -> None:
    """Write a GoodsAD-like data set with damage drawn on real photos of good cartons."""
    try:
        records = build(source, out, seed)
    except CartonsError as exc:
        raise stop(str(exc)) from exc
    _print_counts(records)
    if contact is not None:
        contact_sheet(out, contact)
        console.print(f"contact sheet: {contact}", markup=False)


def _print_counts(records: Sequence[Record]) -> None:
    table = Table("category", "kind", "photos", "median area")
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record in records:
        groups[record.category, record.kind].append(record.area)
    for (category, kind), areas in sorted(groups.items()):
        table.add_row(category, kind, str(len(areas)), f"{100 * float(np.median(areas)):.1f} %")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)

"""A data folder -> what is in it: pictures, tables and warnings, before a bank is built from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..cli import (
    CategoryOption,
    complain,
    console,
    fault_of,
    progress_bar,
    progress_task,
    show,
    stop,
    warn,
)
from ..core.errors import GoodsGuardError

if TYPE_CHECKING:
    from ..reports.exploration import Exploration


def main(
    data: Annotated[Path, typer.Option(help="ROOT of ROOT/<category>/train/good/*.")],
    report: Annotated[Path, typer.Option(help="Write pictures and explore.md here.")],
    category: CategoryOption = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Show what the banks in this folder look at, too, where there are any."),
    ] = None,
) -> None:
    """Show what a data folder holds, before a bank is built from it."""
    from ..core.photo.dataset import read_category
    from ..core.store.whereabouts import why_no_bank
    from ..reports.exploration import explore, warnings, write_page
    from ..reports.exploration_pictures import write_pictures
    from .data_folder import chosen

    try:
        names, failed = chosen(data, category)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    if models is not None and (reason := why_no_bank(models)) is not None:
        warn(reason)
    found: list[Exploration] = []
    undrawn: list[str] = []
    unwritten: OSError | None = None
    with progress_bar() as bar:
        for name in names:
            try:
                split = read_category(data, name)
                with progress_task(bar, name, len(split.train) + len(split.test)) as task:
                    found.append(explore(split, partial(bar.advance, task)))
            except Exception as exc:  # whatever it is, the others can be explored
                complain(f"{name}: {fault_of(exc)}")
                failed.append(name)
                continue
            try:
                if models is not None:
                    found[-1] = _with_bank(found[-1], models)
            except GoodsGuardError as exc:
                undrawn.append(f"{name}: what its bank looks at is not shown: {exc}")
            try:
                if unwritten is None:
                    write_pictures(report, found[-1], undrawn.append)
            except OSError as exc:  # the table is worth the rest of the time
                unwritten = exc
    if found:
        show(_table(found))
    for one in found:
        for text in warnings(one):
            warn(f"{one.category}: {text}")
    for text in undrawn:
        complain(text)
    try:
        if found:
            console.print(f"report: {write_page(report, found)}", markup=False)
    except OSError as exc:
        unwritten = unwritten or exc
    if unwritten is not None:
        complain(f"{_unusable(unwritten, report)}; the table above has the figures")
    if failed:
        raise stop(f"not explored: {', '.join(failed)}")
    if undrawn or unwritten is not None:
        raise typer.Exit(1)


def _with_bank(found: Exploration, models: Path) -> Exploration:
    """The same, with what the bank of the category looks at, if there is one.

    Raises:
        GoodsGuardError: the bank cannot be used.
    """
    from ..reports.exploration_look import look_of_bank

    good = [p.image.path for p in found.photos if p.split == "train" and p.size is not None]
    return replace(found, bank=look_of_bank(models, found.category, good))


def _unusable(exc: OSError, report: Path) -> str:
    """Which file the system refused, and what to do."""
    path = Path(exc.filename or report)
    reason = exc.strerror or exc
    if report == path or report in path.parents or path in report.parents:
        return f"cannot write the report to {report}: {reason}; name another folder with --report"
    return f"cannot read {path}: {reason}; see that it is there and may be read"


def _table(explorations: Sequence[Exploration]) -> Table:
    from ..reports.exploration import GROUPS, train_good

    table = Table(title="data set")
    table.add_column("category")
    columns = (*GROUPS, "unreadable", "ignored", "copies", "duplicates", "train = test")
    for column in columns:
        table.add_column(column, justify="right")
    for e in explorations:
        n = Counter(p.group for p in e.photos)
        trouble = (len(e.unreadable()), e.ignored, e.n_copies, len(e.duplicates()), len(e.leaks()))
        counts = (n[g] for g in GROUPS[1:])
        table.add_row(escape(e.title), train_good(e), *map(str, (*counts, *trouble)))
    return table

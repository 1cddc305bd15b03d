"""A data folder -> what is in it: pictures, tables and warnings, before a bank is built from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..cli import CategoryOption, console, progress_bar, show, stop, warn
from ..core.errors import GoodsGuardError

if TYPE_CHECKING:
    from ..reports.exploration import Exploration


def main(
    data: Annotated[Path, typer.Option(help="ROOT of ROOT/<category>/train/good/*.")],
    report: Annotated[Path, typer.Option(help="Write pictures and explore.md here.")],
    category: CategoryOption = None,
) -> None:
    """Show what a data folder holds, before a bank is built from it."""
    from ..core.photo.dataset import list_categories, read_category
    from ..reports.exploration import explore, warnings, write_page
    from ..reports.exploration_pictures import write_pictures

    found: list[Exploration] = []
    try:
        names = list_categories(data, wanted=category)
        with progress_bar() as bar:
            for name in names:
                split = read_category(data, name)
                task = bar.add_task(name, total=len(split.train) + len(split.test))
                one = explore(split, partial(bar.advance, task))
                write_pictures(report, one)
                found.append(one)
        page = write_page(report, found)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    except OSError as exc:
        raise stop(_unusable(exc, report)) from exc
    show(_table(found))
    for one in found:
        for text in warnings(one):
            warn(f"{one.category}: {text}")
    console.print(f"report: {page}")


def _unusable(exc: OSError, report: Path) -> str:
    """Which file the system refused, and what to do."""
    path = Path(exc.filename or report)
    reason = exc.strerror or exc
    if report == path or report in path.parents or path in report.parents:
        return f"cannot write the report to {report}: {reason}; name another folder with --report"
    return f"cannot read {path}: {reason}; see that it is there and may be read"


def _table(explorations: Sequence[Exploration]) -> Table:
    from ..reports.exploration import GROUPS

    table = Table(title="data set")
    table.add_column("category")
    columns = (*GROUPS, "unreadable", "ignored", "duplicates", "train = test")
    for column in columns:
        table.add_column(column, justify="right")
    for e in explorations:
        n = Counter(p.group for p in e.photos)
        trouble = (len(e.unreadable()), e.ignored, len(e.duplicates()), len(e.leaks()))
        table.add_row(e.category, *(str(count) for count in (*(n[g] for g in GROUPS), *trouble)))
    return table

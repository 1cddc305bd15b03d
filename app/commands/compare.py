"""Presets beside each other on the same split: one page, and the figures as JSON."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from ..cli import (
    AlphaOption,
    CategoryOption,
    DeviceOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
    WeightsOption,
    alpha_rule,
    complain,
    console,
    fault_of,
    progress_bar,
    progress_task,
    show,
    stop,
    warn,
)

if TYPE_CHECKING:
    from ..reports.comparison_page import Compared


def main(
    data: Annotated[Path, typer.Option(help="ROOT of ROOT/<category>/train/good/*.")],
    preset: Annotated[
        list[str], typer.Option(help="A preset's name or .toml file; repeat it for each.")
    ],
    report: Annotated[Path, typer.Option(help="Write compare.html and compare.json here.")],
    category: CategoryOption = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Where banks lie, <preset>/<category>; default: REPORT/banks."),
    ] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here, too.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=2, help="Use that many training photos and test photos of each label."),
    ] = None,
    alpha: AlphaOption = None,
    look: Annotated[
        list[str] | None,
        typer.Option(
            help="Compare each preset with this look: whole, box, mask, learned or auto (chosen "
            "by trial); repeat it for each. Default: the preset's own."
        ),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(help="A box to look at: left,top,right,bottom, in shares of the photo."),
    ] = None,
    zoom: Annotated[bool, typer.Option("--zoom", help="Crop photos to the box.")] = False,
    mask: Annotated[
        Path | None, typer.Option(help="A mask to look at: an image, white where to look.")
    ] = None,
) -> None:
    """Build or take a bank for each preset and category, evaluate all on the same split.

    A category without labelled defective photos: on damage that is drawn on held-out good ones.
    """
    from ..core.errors import GoodsGuardError
    from ..core.photo.dataset import read_category
    from ..core.threads import set_threads
    from .comparing import compare_category, limited
    from .contenders import load_contender, load_presets, with_looks
    from .data_folder import chosen
    from .looks_to_compare import asked_looks

    rule = alpha_rule(alpha)
    set_threads(threads)
    try:
        looks = asked_looks(look or [], box, mask, zoom=zoom)
        presets = load_presets(preset, len(looks))
        names, failed = chosen(data, category)
        report.mkdir(parents=True, exist_ok=True)  # told now, not after an hour of building
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    except OSError as exc:
        raise stop(f"cannot write to {report}: {exc.strerror}") from exc
    loaded = [load_contender(p, device, runtime, precision, weights) for p in presets]
    contenders = with_looks(loaded, looks)
    done: list[Compared] = []
    with progress_bar() as bar:
        for name in names:
            try:
                source = read_category(data, name)
                for remark in source.remarks:
                    warn(f"{name}: {remark}")
                split, banks = limited(source, limit), models or report / "banks"
                with progress_task(bar, name) as task:
                    show = partial(_show, bar, task)
                    done.append(compare_category(split, contenders, rule, banks, show))
            except Exception as exc:  # whatever it is, the others can be compared
                complain(f"{name}: {fault_of(exc)}")
                failed.append(name)
    _tell(done, failed)
    _write(done, {one.label: one.description for one in contenders}, report, json_file, limit)
    if failed:
        raise stop(f"not compared: {', '.join(failed)}")


def _show(bar: Progress, task: TaskID, step: str, done: int, total: int) -> None:
    bar.update(task, description=step, completed=done, total=total)


def _tell(done: list[Compared], failed: list[str]) -> None:
    """Print tables, sentences and faults; note the faulty ones."""
    from ..reports.comparison_table import cells, columns

    for comparison in (one.comparison for one in done):
        for remark in (*comparison.remarks, comparison.copies_remark):
            if remark:
                warn(f"{comparison.category}: {remark}")
        on = " (drawn damage)" if comparison.drawn else ""
        table = Table(title=f"{comparison.category}{on}")
        for column in columns(comparison):
            first = column == "preset"
            table.add_column(column, justify="left" if first else "right", no_wrap=first)
        for row in comparison.rows:
            if row.fault is None:
                table.add_row(*map(_folded, cells(row, comparison)))
            else:
                complain(f"{comparison.category}: {row.preset}: {row.fault}")
                failed.append(f"{row.preset} on {comparison.category}")
        if table.row_count:
            show(table)
        console.print(comparison.finding.sentence, markup=False, highlight=False)


def _folded(cell: str) -> str:
    """An interval on a line of its own: the tables are wide."""
    return cell.replace(" (", "\n(").replace(", ", ",\n")


def _write(
    done: list[Compared],
    descriptions: dict[str, str],
    report: Path,
    json_file: Path | None,
    limit: int | None,
) -> None:
    from ..reports.comparison_page import write_figures, write_page

    if not done:
        return
    try:
        for path in (report / "compare.json", json_file):
            if path is not None:
                write_figures(path, done)
        page = write_page(report / "compare.html", done, descriptions, limit)
    except OSError as exc:
        text = f"not written: {exc.filename or report}: {exc.strerror}; the tables have the figures"
        raise stop(text) from exc
    console.print(f"report: {page}", markup=False)

"""What the command lines share: consoles, a progress bar, options, and how they stop on a fault.

Loaded before a command says what it takes: nothing here may import torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from .core.errors import GoodsGuardError
from .core.files import shown, write_whole
from .environment import strays, tidy_up
from .streams import lost, make_steady

if TYPE_CHECKING:
    from .core.evaluating.evaluation import Evaluation
    from .core.judging.calibration import Alpha

# Tables are wider than the 80 columns that rich takes for a pipe or a log file.
_WIDTH = None if Console().is_terminal else 140

console = Console(width=_WIDTH)
errors = Console(stderr=True, width=_WIDTH)


def _at_home(path: Path | None) -> Path | None:
    """A shell leaves the ~ of `--models=~/banks` as it is, and so does a file of variables."""
    try:
        return path.expanduser() if path is not None else None
    except RuntimeError as exc:
        raise typer.BadParameter(f"{path.parts[0] if path else ''} is nobody's home here") from exc


ModelsOption = Annotated[
    Path,
    typer.Option(envvar="GOODSGUARD_MODELS_DIR", callback=_at_home, help="Where banks are stored."),
]
CategoryOption = Annotated[
    list[str] | None, typer.Option(help="Only this one, by its name or its folder's (repeatable).")
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        envvar="GOODSGUARD_WEIGHTS", callback=_at_home, help="Weights file, or a folder of them."
    ),
]
AlphaOption = Annotated[
    str | None,
    typer.Option(metavar="RATE", help="Promise this false-alarm rate, e.g. 0.01 or 1%."),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
RuntimeOption = Annotated[
    str, typer.Option(envvar="GOODSGUARD_RUNTIME", help="auto, openvino or torch.")
]
PrecisionOption = Annotated[
    str, typer.Option(envvar="GOODSGUARD_PRECISION", help="auto, float32, bfloat16 or float16.")
]
ThreadsOption = Annotated[
    int,
    typer.Option(envvar="GOODSGUARD_THREADS", min=0, max=1024, help="CPU threads; 0: all cores."),
]


def progress_bar() -> Progress:
    """A bar per category, on standard error so that tables can be piped."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
    )


@contextmanager
def progress_task(bar: Progress, name: str, total: int | None = None) -> Iterator[TaskID]:
    """A line of the bar, taken away where the work fails: half drawn, it looks like a hang."""
    task = bar.add_task(name, total=total)
    try:
        yield task
    except BaseException:
        bar.remove_task(task)
        raise


def run(command: Callable[..., None]) -> None:
    """Run one command by itself, as the scripts do: the options come from the command line."""
    run_steadily(partial(typer.run, command))


def run_steadily(program: Callable[[], object]) -> None:
    """Run a program of commands: its output costs it no work, and no variable is stray."""
    make_steady()
    check_environment()
    try:
        program()
    finally:
        if (exc := lost()) is not None:
            complain(f"error: the output was not written: {exc.strerror}; the work itself is done")
            raise SystemExit(1)


def check_environment() -> None:
    """Tidy the variables that options are taken from; end on one that nothing reads: status 2.

    Whoever only asks for help gets it.
    """
    if "--help" in sys.argv:
        return
    from .settings import Settings  # takes a moment

    tidy_up()
    if found := strays(name.upper() for name in Settings.model_fields):
        for sentence in found:
            complain(f"error: {sentence}")
        raise SystemExit(2)


def logs_to_stderr() -> None:
    """What the service would log, of warnings on: tables on standard output can be piped."""
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )


def warn(message: str) -> None:
    """A remark in yellow on standard error."""
    errors.print(shown(message), style="yellow", highlight=False, soft_wrap=True, markup=False)


def complain(message: str) -> None:
    """A fault that does not stop the others, in red on standard error."""
    errors.print(shown(message), style="red", highlight=False, soft_wrap=True, markup=False)


def alpha_rule(text: str | None) -> Alpha | None:
    """The rule of `--alpha`, where it is given: 0.01, 0,01 or 1%. Ends the command on others."""
    from .core.judging.calibration import A_RATE, Alpha

    if text is None:
        return None
    number = text.strip().replace(",", ".")
    percent = number.endswith("%")
    try:
        alpha = float(number.removesuffix("%")) / (100 if percent else 1)
        return Alpha(alpha=round(alpha, 12) if percent else alpha)
    except ValueError as exc:
        raise stop(f"--alpha {shown(text)}: {A_RATE}") from exc


def fault_of(exc: Exception) -> str:
    """A fault's words, in one line; what we did not foresee says so, and its kind."""
    if isinstance(exc, GoodsGuardError):
        return str(exc)
    if isinstance(exc, OSError) and exc.strerror:
        return f"{exc.strerror}: {exc.filename}" if exc.filename else exc.strerror
    return f"unforeseen: {type(exc).__name__}: {' '.join(str(exc).split())}"


def stop(message: str) -> typer.Exit:
    """Print what is wrong and answer the exit to raise: status 1."""
    complain(f"error: {message}")
    return typer.Exit(1)


def write_json(path: Path, evaluations: list[Evaluation]) -> None:
    """Write a list of evaluation objects, whole or not at all."""
    objects = [evaluation.model_dump(mode="json") for evaluation in evaluations]
    write_whole(path, json.dumps(objects, indent=2) + "\n")


def show(table: Table) -> None:
    """Print a table; where the terminal is too narrow for it, a block of lines for each row."""
    needed = Measurement.get(console, console.options.update(width=1000), table).maximum
    if needed <= console.width:
        console.print(table)
        return
    heads = [" ".join(str(column.header).split()) for column in table.columns]
    tell = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    tell(str(table.title or ""), style="italic")
    for first, *others in zip(*(column.cells for column in table.columns), strict=True):
        tell(f"{heads[0]}: {first}", style="bold")
        for head, cell in zip(heads[1:], others, strict=True):
            tell(f"  {head}: {' '.join(str(cell).split())}")


def evaluation_table(
    evaluations: list[Evaluation], titles: Mapping[str, str] | None = None
) -> Table:
    """One row per category: AUROC and its interval, recall, promised and observed false alarms.

    Args:
        titles: of categories whose folder is named otherwise.
    """
    table = Table(title="evaluation")
    for column in ("category", "preset"):
        table.add_column(column)
    for column in ("good", "defective", "AUROC", "95 % interval", "recall"):
        table.add_column(column, justify="right")
    table.add_column("false alarms\npromised", justify="right")
    table.add_column("false alarms\nobserved (95 %)", justify="right")
    for e in evaluations:
        at = e.at_threshold
        table.add_row(
            escape((titles or {}).get(e.category, e.category)),
            e.preset,
            str(e.n_good),
            str(e.n_defective),
            f"{e.auroc:.3f}",
            "{:.3f} to {:.3f}".format(*e.auroc_ci95),
            f"{at.recall:.1%}",
            f"{e.alpha:.2%}",
            f"{at.false_alarm_rate:.1%} ({{:.1%}} to {{:.1%}})".format(*at.false_alarm_rate_ci95),
        )
    return table

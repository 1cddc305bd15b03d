"""What the command lines share: consoles, a progress bar, options, and how they stop on a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console()
errors = Console(stderr=True)

ModelsOption = Annotated[Path, typer.Option(help="Where banks are stored.")]
CategoryOption = Annotated[
    list[str] | None, typer.Option(help="Only this one (repeatable); default: all there are.")
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(envvar="GOODSGUARD_WEIGHTS", help="Weights file, or a folder of them."),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
ThreadsOption = Annotated[
    int, typer.Option(envvar="GOODSGUARD_THREADS", min=0, help="CPU threads; 0: all cores.")
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


def warn(message: str) -> None:
    """A remark in yellow on standard error."""
    errors.print(message, style="yellow", highlight=False, soft_wrap=True, markup=False)


def complain(message: str) -> None:
    """A fault that does not stop the others, in red on standard error."""
    errors.print(message, style="red", highlight=False, soft_wrap=True, markup=False)


def stop(message: str) -> typer.Exit:
    """Print what is wrong and answer the exit to raise: status 1."""
    complain(f"error: {message}")
    return typer.Exit(1)

"""Folders of good photos -> a bank and a threshold per category."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from ..cli import (
    CategoryOption,
    DeviceOption,
    ModelsOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
    WeightsOption,
    alpha_rule,
    complain,
    progress_bar,
    show,
    stop,
    warn,
)
from ..core.errors import DatasetError, GoodsGuardError

if TYPE_CHECKING:
    from ..core.building.build import Build


def main(
    data: Annotated[Path, typer.Option(help="ROOT of ROOT/<category>/train/good/*.")],
    preset: Annotated[str, typer.Option(help="A preset's name, or a .toml file of your own.")] = (
        "patch"
    ),
    category: CategoryOption = None,
    models: ModelsOption = Path("models"),
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = 0,
    limit: Annotated[
        int | None, typer.Option(min=2, help="Use only that many images, evenly spread.")
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="False-alarm rate to promise, in place of the preset's."),
    ] = None,
    max_unreadable: Annotated[
        float, typer.Option(min=0, max=1, help="Share of broken files to accept.")
    ] = 0.05,
) -> None:
    """Build a bank and a threshold per category from good photos."""
    from ..core.building.build import build_bank
    from ..core.building.preset import load_preset
    from ..core.features.extractor import FeatureExtractor
    from ..core.features.runtimes import choose_device, choose_runtime
    from ..core.photo.dataset import list_categories, read_category
    from ..core.store import artifact as artifacts
    from ..core.store import clearing
    from ..core.store.whereabouts import misplaced
    from ..core.threads import set_threads

    threshold = alpha_rule(alpha)
    set_threads(threads)
    try:
        if (reason := misplaced(models)) is not None:
            raise stop(reason)
        method = load_preset(preset)
        names = list_categories(data, wanted=category)
        place = choose_device(device)
        make_runtime = choose_runtime(place, runtime, precision)
        extractor = FeatureExtractor.load(method.features, place, weights, make_runtime)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    failed: list[str] = []
    built: list[Build] = []
    with progress_bar() as bar:
        for name in names:
            try:
                source = read_category(data, name)
                if not source.train:
                    raise DatasetError(f"no images in {name}/train/good")
                task = bar.add_task(name, total=None)
                build = build_bank(
                    source,
                    method,
                    extractor,
                    threshold=threshold,
                    limit=limit,
                    max_unreadable=max_unreadable,
                    progress=partial(_show, bar, task, name),
                )
                artifacts.save(models, build.artifact)
                if remark := clearing.remark(models, name):
                    warn(f"{name}: {remark}")
                built.append(build)
            except GoodsGuardError as exc:
                complain(f"{name}: {exc}")
                failed.append(name)
    for build in built:
        _print_remarks(build)
    if built:
        show(_table(built))
    if failed:
        raise stop(f"not built: {', '.join(failed)}; what served before still does")


def _show(bar: Progress, task: TaskID, name: str, step: str, done: int, total: int) -> None:
    bar.update(task, description=f"{name}: {step}", completed=done, total=total)


def _print_remarks(build: Build) -> None:
    name = build.artifact.manifest.category
    for warning in build.warnings:
        warn(f"{name}: {warning}")
    for broken in build.unreadable:
        warn(f"{name}: skipped {broken.path}: {broken.reason}")


def _table(built: list[Build]) -> Table:
    table = Table(title="banks")
    table.add_column("category")
    for column in ("images", "learnt", "threshold", "seconds", "images/s"):
        table.add_column(column, justify="right")
    table.add_column("version")
    for build in built:
        m = build.artifact.manifest
        table.add_row(
            m.category,
            str(m.counts.images),
            "\n".join(f"{number:,} {name}" for name, number in m.method.facts.items()),
            f"{m.threshold.value:.4f}",
            f"{m.wall_time_s:.1f}",
            f"{build.images_per_second:.1f}",
            m.bank_version,
        )
    return table

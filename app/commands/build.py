"""Folders of good photos -> a bank and a threshold per category."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from ..cli import (
    AlphaOption,
    CategoryOption,
    DeviceOption,
    ModelsOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
    WeightsOption,
    alpha_rule,
    complain,
    errors,
    fault_of,
    progress_bar,
    progress_task,
    show,
    stop,
    warn,
)
from ..core.errors import DatasetError, GoodsGuardError
from ..core.files import shown

if TYPE_CHECKING:
    from ..core.building.build import Build
    from ..core.building.groups import Grouping
    from ..core.building.preset import Preset
    from ..core.photo.dataset import Category
    from ..core.store.manifest import ThresholdRecord


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
    alpha: AlphaOption = None,
    max_unreadable: Annotated[
        float, typer.Option(min=0, max=1, help="Share of broken files to accept.")
    ] = 0.05,
    max_pixels: Annotated[
        int | None, typer.Option(min=1, help="Pixels a photo may have (default 64,000,000).")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write build.md here, and pictures of what each bank looks at."),
    ] = None,
    groups: Annotated[
        str,
        typer.Option(
            help="Which photos calibration keeps together: auto (visits where likeness shows "
            "them and they are enough, else SKUs where names do), visit, sku (six digits, the "
            "first three: a promise for SKUs never seen), none, or a CSV FILE of file name and "
            "group."
        ),
    ] = "auto",
    look: Annotated[
        str | None,
        typer.Option(
            help="Which part of the photos is judged, in place of the preset's: whole, box, mask, "
            "learned (where the goods are, as the good photos tell), or auto: whole unless another "
            "is shown to be better on damage drawn on good photos."
        ),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(help="Judge what lies in left,top,right,bottom, in shares: 0.2,0.1,0.8,0.9."),
    ] = None,
    zoom: Annotated[
        bool,
        typer.Option("--zoom", help="Crop photos to the box: for goods that are small in them."),
    ] = False,
    mask: Annotated[
        Path | None, typer.Option(help="An image of a photo's shape, black where not to look.")
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            help="Keep small pictures of the good photos in the bank, to show beside a verdict "
            "which good patches are nearest. Photos can show people."
        ),
    ] = True,
) -> None:
    """Build a bank and a threshold per category from good photos."""
    from ..core.building.groups import group_rule
    from ..core.building.look_remarks import sentence as look_sentence
    from ..core.building.preset import load_preset
    from ..core.features.extractor import FeatureExtractor
    from ..core.features.runtimes import choose_device, choose_runtime
    from ..core.photo.dataset import read_as, read_category
    from ..core.photo.images import MAX_PIXELS
    from ..core.store import artifact as artifacts
    from ..core.store import clearing
    from ..core.store.whereabouts import misplaced
    from ..core.threads import set_threads
    from ..reports.look_trial_table import look_trial_table
    from .build_report import BuildReport
    from .data_folder import chosen

    threshold = alpha_rule(alpha)
    set_threads(threads)
    try:
        if (reason := misplaced(models)) is not None:
            raise stop(reason)
        method = load_preset(preset)
        make, method = _maker(method, look, box, mask, zoom=zoom)
        grouped = group_rule(groups)
        names, failed = chosen(data, category)
        place = choose_device(device)
        make_runtime = choose_runtime(place, runtime, precision)
        extractor = FeatureExtractor.load(method.features, place, weights, make_runtime)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    built: list[Build] = []
    page = BuildReport(report, limit, max_pixels or MAX_PIXELS)
    titles: dict[str, str] = {}
    remarks: dict[str, list[str]] = {}
    testable = False
    with progress_bar() as bar:
        for name in names:
            try:
                source = read_category(data, name)
                if not source.train:
                    raise DatasetError(source.without_training)
                titles[name] = read_as(name, source.folder)
                with progress_task(bar, name) as task:
                    build = make(
                        source,
                        method,
                        extractor,
                        threshold=threshold,
                        limit=limit,
                        groups=grouped,
                        max_unreadable=max_unreadable,
                        max_pixels=max_pixels or MAX_PIXELS,
                        pictures=pictures,
                        progress=partial(_show, bar, task, name),
                    )
                artifacts.save(models, build.artifact)
                if remark := clearing.remark(models, name):
                    warn(f"{name}: {remark}")
                built.append(build)
                remarks[name] = _remarks(build, source, max_pixels or MAX_PIXELS)
                page.add(build, source, remarks[name])
                testable |= {image.is_defective for image in source.test} == {False, True}
            except Exception as exc:  # whatever it is, the others can be built
                complain(f"{name}: {fault_of(exc)}")
                failed.append(name)
    for name, texts in remarks.items():
        for text in texts:
            warn(f"{name}: {text}")
    for build in built:
        made = build.artifact.manifest
        lines = [build.grouping.sentence, _promise(made.threshold, build.grouping)]
        if look := look_sentence(build.artifact.look):
            lines.append(look)
        for said in lines:
            text = f"{made.category}: {shown(said)}"
            errors.print(text, highlight=False, soft_wrap=True, markup=False)
    for build in built:
        if (trial := build.artifact.manifest.look_trial) is not None:
            if trial.rows:
                show(look_trial_table(build.artifact.manifest.category, trial))
            errors.print(trial.why, highlight=False, soft_wrap=True, markup=False)
    if built:
        show(_table(built, titles))
    if testable:
        asked = shlex.join(["goodsguard", "evaluate", f"--data={data}", f"--models={models}"])
        text = f"Test photos lie beside: `{shown(asked)}` says what the banks catch."
        errors.print(text, highlight=False, soft_wrap=True, markup=False)
    reported = page.finish()
    if failed:
        raise stop(f"not built: {', '.join(failed)}; what served before still does")
    if not reported:
        raise typer.Exit(1)


def _maker(
    preset: Preset, look: str | None, box: str | None, mask: Path | None, *, zoom: bool
) -> tuple[Callable[..., Build], Preset]:
    """What builds a bank, and by which preset.

    Raises:
        PresetError: options of the look that contradict each other.
    """
    from ..core.building import looking
    from ..core.building.build import build_bank
    from ..core.choosing.auto import build_with_best_look

    given = looking.chosen(None if look == "auto" else look, box, mask, zoom=zoom)
    if look == "auto":
        if given is None and preset.look.kind != "whole":  # the preset's own is tried, too
            given = preset.look
        return partial(build_with_best_look, given=given), preset
    changes = {} if given is None else {"look": given}
    return build_bank, preset.model_copy(update=changes)


def _promise(threshold: ThresholdRecord, grouping: Grouping) -> str:
    said = "promised" if threshold.rule.rule == "alpha" else "aimed at, not promised"
    return f"{said}: {100 * threshold.alpha:.3g} % false alarms on {grouping.promised_for}"


def _show(bar: Progress, task: TaskID, name: str, step: str, done: int, total: int) -> None:
    bar.update(task, description=f"{name}: {step}", completed=done, total=total)


def _remarks(build: Build, source: Category, max_pixels: int) -> list[str]:
    """What to know of a bank, the gravest first."""
    from ..core.building import look_remarks
    from ..core.judging.doubts import doubts

    skipped = [f"skipped {broken.path}: {broken.reason}" for broken in build.unreadable]
    return [
        *doubts(build.artifact.calibration),
        *look_remarks.remarks(build.artifact.look, source.train, max_pixels),
        *build.warnings,
        *source.remarks,
        *skipped,
    ]


def _table(built: list[Build], titles: Mapping[str, str]) -> Table:
    table = Table(title="banks")
    table.add_column("category")
    for column in ("images", "learnt", "threshold", "seconds", "images/s"):
        table.add_column(column, justify="right")
    table.add_column("version")
    for build in built:
        m = build.artifact.manifest
        table.add_row(
            escape(titles.get(m.category, m.category)),
            str(m.counts.images),
            "\n".join(f"{number:,} {name}" for name, number in m.method.facts.items()),
            f"{m.threshold.value:.4f}",
            f"{m.wall_time_s:.1f}",
            f"{build.images_per_second:.1f}",
            m.bank_version,
        )
    return table

"""Stored banks + a labelled test split -> figures, and a report that a person can look at."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from ..cli import (
    CategoryOption,
    DeviceOption,
    ModelsOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
    WeightsOption,
    complain,
    console,
    evaluation_table,
    fault_of,
    logs_to_stderr,
    progress_bar,
    progress_task,
    show,
    stop,
    warn,
    write_json,
)
from ..core.errors import DatasetError, GoodsGuardError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..core.detector import Detector
    from ..core.evaluating.evaluation import Evaluation, EvaluationRun
    from ..core.judging.inspection import Inspection
    from ..service.registry import Registry


def main(
    data: Annotated[Path, typer.Option(help="ROOT of ROOT/<category>/test/*/*.")],
    category: CategoryOption = None,
    models: ModelsOption = Path("models"),
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = 0,
    report: Annotated[Path | None, typer.Option(help="Write pictures and summary.md here.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the evaluation objects here, as a list.")
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(min=1, help="Pixels a photo may have (default 64,000,000).")
    ] = None,
) -> None:
    """Measure banks on labelled photos; write figures and a report.

    Detector and metrics are those that the service uses.
    """
    from ..core.features.runtimes import choose_device
    from ..core.photo.images import MAX_PIXELS
    from ..core.store.whereabouts import why_no_bank
    from ..core.threads import set_threads
    from ..reports import pages as reports
    from ..service.networks import extractor_loader, faster_engine
    from ..service.registry import load_registry

    set_threads(threads)
    logs_to_stderr()
    try:
        place = choose_device(device)
        loader = extractor_loader(place, weights, runtime, precision)
        faster = faster_engine(place, runtime, precision)
        registry = load_registry(models, loader, faster, max_pixels=max_pixels or MAX_PIXELS)
        if not registry.entries and (reason := why_no_bank(models)) is not None:
            raise stop(reason)
        names, failed = _names(registry, data, category)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    done: list[Evaluation] = []
    titles: dict[str, str] = {}
    undrawn: list[str] = []
    unwritten: OSError | None = None
    with progress_bar() as bar:
        for name in names:
            try:
                run, embeddings, titles[name] = _run(registry, data, name, bar)
            except Exception as exc:  # whatever it is, the others can be evaluated
                complain(f"{name}: {fault_of(exc)}")
                failed.append(name)
                continue
            done.append(run.evaluation)
            for one in run.unreadable:
                warn(f"{name}: skipped {one.path}: {one.reason}")
            if report is not None and unwritten is None:
                overlay = partial(_overlay, registry.detector(name))
                try:
                    reports.write_report(report, run, embeddings, overlay, undrawn.append)
                except OSError as exc:  # the figures are worth the rest of the time
                    unwritten = exc
    for evaluation in done:
        for remark in evaluation.remarks:
            warn(f"{evaluation.category}: {remark}")
    if done:
        show(evaluation_table(done, titles))
        try:
            if report is not None and unwritten is None:
                console.print(f"report: {reports.write_summary(report, done)}")
            if json_file is not None:
                write_json(json_file, done)
        except OSError as exc:
            unwritten = unwritten or exc
    for text in undrawn:
        complain(text)
    if unwritten is not None:
        where = unwritten.filename or report or json_file
        complain(f"not written: {where}: {unwritten.strerror}; the table above has the figures")
    if failed:
        raise stop(f"not evaluated: {', '.join(failed)}")
    if undrawn or unwritten is not None:
        raise typer.Exit(1)


def _overlay(detector: Detector, photo: bytes) -> bytes | None:
    return detector.inspect_and_draw(photo)[1]


def _names(registry: Registry, data: Path, wanted: list[str] | None) -> tuple[list[str], list[str]]:
    """The categories that have a bank, and the folders that cannot be read."""
    from ..core.photo.listing import few
    from .data_folder import chosen

    names, failed = chosen(data, wanted)
    if wanted:
        return names, failed
    with_bank = [name for name in names if name in registry.entries]
    if not with_bank:
        raise DatasetError(
            f"none of the categories in {data} has a bank ({', '.join(names)}); "
            "build them with `goodsguard build`, or check --models"
        )
    if without := [name for name in names if name not in with_bank]:
        warn(f"without a bank, not evaluated: {few(without, 6)}")
    return with_bank, failed


def _run(
    registry: Registry, data: Path, name: str, bar: Progress
) -> tuple[EvaluationRun, npt.NDArray[np.float32], str]:
    """The figures, (n, D) embeddings of the photos, and the category's name for the table."""
    import numpy as np

    from ..core.evaluating.evaluation import evaluate
    from ..core.photo.dataset import read_as, read_test_split

    detector = registry.detector(name)
    split = read_test_split(data, name)
    embeddings: list[npt.NDArray[np.float32]] = []

    def inspect(photo: bytes) -> Inspection:
        inspection = detector.inspect(photo)
        embeddings.append(inspection.embedding.mean(axis=0))
        return inspection

    with progress_task(bar, name, len(split.test)) as task:
        run = evaluate(
            split,
            detector.manifest,
            inspect,
            engine=detector.engine,
            anomaly_map=detector.anomaly_map,
            progress=lambda done, _: bar.update(task, completed=done),
        )
    return run, np.stack(embeddings), read_as(split.name, split.folder)

"""How fast a bank is built: embedding against the bare backbone, and a whole build by its steps.

    python -m bench.build --data data/elpv --category elpv_mono --weights RESNET18.safetensors

The embedding stage reads files, decodes and prepares them on threads of their own, embeds, and
spools the patches. In turn with it: the same without files (prepared photos), files without the
network, and the bare backbone on ready-made numbers (`backbone.py`). Once for the category's own
files, once for the same photos as JPEGs of 3000 × 3000, where decoding is as much work as the
network. The whole build is `build_bank`, its steps timed by the progress that it reports.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import typer

from app.cli import ThreadsOption, WeightsOption, console, stop, warn
from app.core.building.build import build_bank
from app.core.building.preset import Preset, load_preset
from app.core.building.reading import read_batches
from app.core.errors import GoodsGuardError, WeightsNotFound
from app.core.features.extractor import BATCH_SIZE, FeatureExtractor
from app.core.features.spool import Spool
from app.core.judging.calibration import Alpha
from app.core.photo.dataset import Category, evenly, read_category
from bench import tables
from bench.backbone import BareBackbone
from bench.machine import CategoryOption, DataOption, Figures, OutOption, QuickOption, Run
from bench.rounds import Turns, in_turn, ratio, spread, timed
from bench.stock import SIZES, jpeg

LARGE = "3000 × 3000"
STEPS = ("embed", "coreset", "calibration", "search and the rest")


class Steps:
    """Seconds of a build's steps, each from the last report of the one before to its own last."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._last: dict[str, float] = {}

    def report(self, step: str, _done: int, _total: int) -> None:
        self._last[step] = time.perf_counter()

    def seconds(self) -> dict[str, float]:
        """To be asked when the build is done."""
        ends = [*self._last.values(), time.perf_counter()]
        begins = [self._start, *ends[:-1]]
        names = [*self._last, STEPS[-1]]
        return {n: round(e - b, 3) for n, b, e in zip(names, begins, ends, strict=True)}


def embed_files(paths: Sequence[Path], extractor: FeatureExtractor) -> None:
    """The embedding stage as a build runs it."""
    with Spool() as spool:
        for photos, _ in read_batches(paths, extractor):
            embeddings = extractor.embed([photo.prepared for photo in photos])
            for photo, embedding in zip(photos, embeddings, strict=True):
                spool.append(extractor.sample(embedding, photo.prepared))


def measure_stage(
    paths: Sequence[Path], extractor: FeatureExtractor, bare: BareBackbone, rounds: int
) -> Figures:
    """The stage and its parts in turn, as images a second."""
    prepared = [p.prepared for photos, _ in read_batches(paths, extractor) for p in photos]
    batches = [prepared[i : i + BATCH_SIZE] for i in range(0, len(prepared), BATCH_SIZE)]
    calls: dict[str, Callable[[], object]] = {
        "stage": lambda: embed_files(paths, extractor),
        "prepared": lambda: [extractor.embed(batch) for batch in batches],
        "files": lambda: list(read_batches(paths, extractor)),
        "backbone": lambda: bare.many(len(paths)),
    }
    contenders = {name: timed(call) for name, call in calls.items()}
    found = in_turn(contenders, rounds, calls=1, dropped=0)
    row: Figures = {f"{name}_per_s": rate(turns, len(paths)) for name, turns in found.items()}
    return row | {
        "images": len(paths),
        "stage_of_backbone": ratio(found["backbone"], found["stage"]),
        "prepared_of_backbone": ratio(found["backbone"], found["prepared"]),
    }


def rate(turns: Turns, images: int) -> dict[str, float]:
    """Milliseconds for so many images -> images a second."""
    return spread([[images * 1000 / ms for ms in turn] for turn in turns])


def measure_build(category: Category, preset: Preset, extractor: FeatureExtractor) -> Figures:
    """A whole build, once."""
    steps = Steps()
    built = build_bank(
        category, preset, extractor, threshold=Alpha(alpha=0.05), progress=steps.report
    )
    seconds, manifest = steps.seconds(), built.artifact.manifest
    facts = manifest.method.facts
    return {
        "images": manifest.counts.images,
        "patches": manifest.counts.images * math.prod(extractor.grid),
        "bank": [facts["vectors"], facts["dimensions"]],
        "folds": preset.calibration.folds,
        "steps_s": seconds,
        "images_per_second": manifest.counts.images / sum(seconds.values()),
    }


def enlarged(paths: Sequence[Path], folder: Path) -> list[Path]:
    """The photos as large JPEGs."""
    files = [folder / f"{index:04d}.jpg" for index in range(len(paths))]
    for path, file in zip(paths, files, strict=True):
        file.write_bytes(jpeg(path, SIZES[LARGE]))
    return files


def measure(
    category: Category, preset: Preset, weights: Path | None, run: Run, *, quick: bool
) -> Figures:
    """One preset: both stages, one build."""
    given = weights if preset.features.backbone.startswith("resnet") else None
    extractor = FeatureExtractor.load(preset.features, torch.device("cpu"), given)
    runtime = extractor.runtime
    bare = BareBackbone(extractor.spec, given, runtime.name, runtime.precision, run.threads)
    few, many, rounds = (8, 24, 2) if quick else (64, 120, 3)
    paths = evenly(category.train, few)
    with TemporaryDirectory() as folder:
        large = enlarged(paths[: few // 2], Path(folder))
        stages = [
            {"files": "as they are", **measure_stage(paths, extractor, bare, rounds)},
            {"files": f"JPEG {LARGE}", **measure_stage(large, extractor, bare, rounds)},
        ]
    less = replace(category, train=tuple(evenly(category.train, many)))
    return {
        "preset": preset.name,
        "engine": f"{runtime.name} {runtime.precision}",
        "stages": stages,
        "build": measure_build(less, preset, extractor),
    }


def markdown(figures: Figures) -> list[str]:
    """The tables of build.json."""
    presets = figures["presets"]
    return [
        *tables.table(
            (
                "preset, files", "embedding stage, images / s", "prepared photos", "files alone",
                "backbone alone", "stage / backbone", "prepared / backbone",
            ),
            [
                [
                    f"{preset['preset']}, {row['files']}",
                    tables.spread(row["stage_per_s"]),
                    tables.spread(row["prepared_per_s"]),
                    tables.spread(row["files_per_s"]),
                    tables.spread(row["backbone_per_s"]),
                    tables.spread(row["stage_of_backbone"]),
                    tables.spread(row["prepared_of_backbone"]),
                ]
                for preset in presets
                for row in preset["stages"]
            ],
        ),
        "",
        *tables.table(
            ("preset", "images", "patches", "bank", *(f"{s}, s" for s in STEPS), "images / s"),
            [
                [
                    preset["preset"],
                    str(build["images"]),
                    f"{build['patches']:,}",
                    "{:,} × {}".format(*build["bank"]),
                    *(tables.number(build["steps_s"].get(step, 0.0)) for step in STEPS),
                    tables.number(build["images_per_second"]),
                ]
                for preset in presets
                for build in [preset["build"]]
            ],
        ),
    ]  # fmt: skip


def main(
    data: DataOption = Path("data/elpv"),
    category: CategoryOption = "elpv_mono",
    weights: WeightsOption = None,
    threads: ThreadsOption = 0,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Measure, print, write build.json."""
    run = Run("build", out, threads, quick=quick)
    rows = []
    try:
        goods = read_category(data, category)
        for name in ("patch", "embedded-patch"):
            try:
                rows.append(measure(goods, load_preset(name), weights, run, quick=quick))
            except WeightsNotFound as exc:
                warn(f"{name} is left out: {exc}")
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    figures: Figures = {"set": category, "presets": rows}
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

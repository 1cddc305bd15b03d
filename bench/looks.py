"""Whether damage drawn on good photos orders looks as real test photos do.

    python -m bench.looks --elpv FOLDER --bottle FOLDER --cartons FOLDER --weights RESNET18

For each set and preset the trial of `goodsguard build --look auto` is run as it stands; on cartons
a box is tried, too. The same banks, learnt from two thirds of the good photos, then score the
stored test split. So a row's two figures differ in the photos alone: drawn is on held-out good
photos and their damaged copies, real is on the test split.

A row that is there is measured again only if its preset, weights or images have changed, or if
`--again` says so; the code is not among them. `--build` times a plain build beside each trial.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import combinations, groupby
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.stats import spearmanr

from app.cli import DeviceOption, ThreadsOption, WeightsOption, console, stop
from app.core.building.build import build_bank
from app.core.building.preset import Preset, load_preset
from app.core.building.reading import read_batches
from app.core.choosing.candidates import Candidate, cropping
from app.core.choosing.choose import choose_look
from app.core.errors import GoodsGuardError
from app.core.evaluating.metrics import Floats, auroc, auroc_interval
from app.core.features.extractor import FeatureExtractor
from app.core.features.runtimes import choose_device
from app.core.photo.dataset import Category
from app.core.threads import set_threads
from bench.accuracy import BOX, OURS, RESULTS, Bench, files_sha256, read_sets
from bench.tables import table

Row = dict[str, Any]


def main(
    elpv: Annotated[Path | None, typer.Option(help="Folder with elpv_mono and elpv_poly.")] = None,
    bottle: Annotated[Path | None, typer.Option(help="Folder with bottle.")] = None,
    cartons: Annotated[Path | None, typer.Option(help="Folder of carton categories.")] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 0,
    only: Annotated[str, typer.Option(help="Only sets whose name contains this.")] = "",
    preset: Annotated[list[str] | None, typer.Option(help=f"Default: {OURS}.")] = None,
    build: Annotated[bool, typer.Option(help="Time a plain build, too.")] = False,
    again: Annotated[bool, typer.Option(help="Measure rows that are there again.")] = False,
    out: Annotated[Path, typer.Option(help="Where looks.json and looks.md go.")] = RESULTS,
) -> None:
    """Measure what is missing, and write it set by set."""
    threads = set_threads(threads)
    bench = Bench(weights, choose_device(device), threads, again)
    try:
        for category, is_carton in read_sets(elpv, bottle, cartons, only, None):
            for name in preset or OURS:
                rows = stored(out)
                made_from = _made_from(category, load_preset(name), bench)
                if again or not holds(rows, category.name, made_from):
                    found = measure(category, is_carton, load_preset(name), bench, build=build)
                    write(out, put(rows, [row | {"made_from": made_from} for row in found]))
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    console.print("\n".join(markdown(stored(out))), highlight=False, markup=False)


def measure(
    category: Category, is_carton: bool, preset: Preset, bench: Bench, *, build: bool
) -> list[Row]:
    """A row for each look: what the trial says of it, and what the test split says."""
    path = bench.weights_of(preset).path
    extractor = FeatureExtractor.load(preset.features, bench.device, path)
    start = time.perf_counter()
    chosen = choose_look(category, preset, extractor, given=BOX if is_carton else None)
    seconds = time.perf_counter() - start
    plain = None
    if build:
        start = time.perf_counter()
        build_bank(category, preset, extractor)
        plain = time.perf_counter() - start
    trial = chosen.trial
    reals = _real(category, chosen.candidates, extractor)
    return [
        {
            "set": category.name,
            "preset": preset.name,
            "look": row.look,
            "drawn": row.auroc,
            "drawn_ci95": row.ci95,
            "difference_ci95": row.difference_ci95,
            **real,
            "taken": trial.taken,
            "goods": trial.goods,
            "apart": trial.apart,
            "varied": trial.varied,
            "follows": trial.follows,
            "held_out": trial.held_out,
            "trial_s": round(seconds, 1),
            "build_s": None if plain is None else round(plain, 1),
            "threads": bench.threads,
            "is_drawn_test": is_carton,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        for row, real in zip(trial.rows, reals, strict=True)
    ]


def _real(
    category: Category, candidates: Sequence[Candidate], extractor: FeatureExtractor
) -> list[Row]:
    """The AUROC of each candidate on the test split; those of one crop share a pass."""
    labels = {image.path: image.is_defective for image in category.test}
    scores: list[dict[bool, list[float]]] = [{False: [], True: []} for _ in candidates]
    for crop in {candidate.crop for candidate in candidates}:
        view = extractor.looking(cropping(crop))
        of_crop = [pair for pair in zip(candidates, scores, strict=True) if pair[0].crop == crop]
        for photos, _ in read_batches(list(labels), view):
            answers = view.embed([photo.prepared for photo in photos])
            for photo, features in zip(photos, answers, strict=True):
                for candidate, own in of_crop:
                    own[labels[photo.path]].append(candidate.score(features, photo.prepared))
    return [_figures(np.array(own[False]), np.array(own[True])) for own in scores]


def _figures(good: Floats, defective: Floats) -> Row:
    low, high = auroc_interval(good, defective)
    return {
        "real": round(auroc(good, defective), 4),
        "real_ci95": [round(low, 4), round(high, 4)],
        "n_good": len(good),
        "n_defective": len(defective),
    }


def _made_from(category: Category, preset: Preset, bench: Bench) -> Row:
    method = preset.model_dump(mode="json", exclude={"description", "threshold"})
    method["features"]["weights_sha256"] = bench.weights_of(preset).sha256
    return {"preset": method, "files_sha256": files_sha256(category)}


def stored(folder: Path) -> list[Row]:
    file = folder / "looks.json"
    rows: list[Row] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return rows


def holds(rows: Sequence[Row], category: str, made_from: Row) -> bool:
    return any(row["set"] == category and row["made_from"] == made_from for row in rows)


def put(rows: Sequence[Row], found: Sequence[Row]) -> list[Row]:
    """The rows with those found in place of all of the same set and preset."""
    places = {(row["set"], row["preset"]) for row in found}
    kept = [row for row in rows if (row["set"], row["preset"]) not in places]
    return sorted([*kept, *found], key=lambda row: (row["set"], row["preset"]))


def write(folder: Path, rows: Sequence[Row]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "looks.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (folder / "looks.md").write_text("\n".join(markdown(rows)) + "\n", encoding="utf-8")


def in_order(rows: Sequence[Row]) -> tuple[float, int]:
    """Pairs of looks of one set and preset that drawn damage orders as the test split does, a tie
    counting half; and all pairs."""
    right, total = 0.0, 0
    for one, other in _pairs(rows):
        agreed = (one["drawn"] - other["drawn"]) * (one["real"] - other["real"])
        right += 0.5 * (1 + float(np.sign(agreed)))
        total += 1
    return right, total


def _pairs(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    for _, group in groupby(rows, key=lambda row: (row["set"], row["preset"])):
        yield from combinations(group, 2)


COLUMNS = (
    "set", "preset", "look", "drawn (95 %)", "real (95 %)", "auto takes", "trial s", "build s",
)  # fmt: skip


def markdown(rows: Sequence[Row]) -> list[str]:
    return [
        "# Looks, on drawn damage and on the test split",
        "",
        "Made by `bench/looks.py`. AUROC per image of banks learnt from two thirds of the good",
        "photos. Drawn: the other third, good and with damage drawn on it. Real: the test split.",
        "",
        *table(COLUMNS, [_cells(row) for row in rows]),
        "",
        *_agreement("all sets", rows),
        *_agreement("cartons", [row for row in rows if row["is_drawn_test"]]),
        *_agreement("real defects", [row for row in rows if not row["is_drawn_test"]]),
        "",
        "The damage in the cartons' test split is drawn, too, and by the same kind of painter:",
        "agreement there flatters. On the other sets it is real.",
    ]


def _agreement(name: str, rows: Sequence[Row]) -> list[str]:
    right, pairs = in_order(rows)
    if len(rows) < 3 or not pairs:
        return []
    rank = float(spearmanr([r["drawn"] for r in rows], [r["real"] for r in rows]).statistic)
    return [
        f"- {name}: Spearman's rank correlation of drawn and real {rank:.2f} (n = {len(rows)} "
        f"rows); within sets drawn damage orders {right:g} of {pairs} pairs of looks rightly."
    ]


def _cells(row: Row) -> list[str]:
    drawn, real = (
        "{:.3f} ({:.3f} to {:.3f})".format(row[kind], *row[f"{kind}_ci95"])
        for kind in ("drawn", "real")
    )
    build = "–" if row["build_s"] is None else f"{row['build_s']:.0f}"
    return [
        row["set"], row["preset"], row["look"], drawn, real, row["taken"],
        f"{row['trial_s']:.0f}", build,
    ]  # fmt: skip


if __name__ == "__main__":
    typer.run(main)

"""Search by bank size: exact against lists, in time, memory, and what the lists change of a score.

    python -m bench.banks --data data/elpv --category elpv_mono --weights RESNET18.safetensors

Banks hold patches of the training photos, drawn by chance; one more is a coreset, whose vectors lie
farther apart. Each bank's search is planned on training photos, as a build plans it. Test photos,
which no plan has seen, are then scored by the exact search and by the lists: rank correlation,
largest deviation, and AUROC by either. Times are of photos in turn: embedding, exact search, lists.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer
from scipy.stats import spearmanr

from app.cli import ThreadsOption, WeightsOption, console, stop
from app.core.arrays import Floats
from app.core.building.preset import load_preset
from app.core.errors import GoodsGuardError
from app.core.evaluating import metrics
from app.core.features.extractor import FeatureExtractor
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.knn.coreset import greedy_k_center
from app.core.methods.knn.search import PatchSearch, plan_search
from app.core.methods.scoring import Scoring
from app.core.photo.dataset import Category, LabelledImage, evenly, read_test_split
from app.core.photo.images import decode
from app.core.photo.preprocess import PreparedImage
from bench import tables
from bench.latency import balanced
from bench.machine import CategoryOption, DataOption, Figures, OutOption, QuickOption, Run
from bench.rounds import in_turn, ratio, spread, timed
from bench.stock import PLANNED_ON, draw, patches_of_files

ROOT = Path(__file__).parents[1]
SIZES = (1024, 4096, 16_384, 20_480, 65_536, 262_144)
QUICK_SIZES = (1024, 4096)
# Of these AUROC is measured; of a larger one, an exact search of as many photos takes minutes.
LARGEST_JUDGED = 65_536
# Beyond that, the exact search is timed and compared on fewer photos.
JUDGED, FEW = 100, 16
# A coreset of so many vectors, chosen from so many.
CORESET, CORESET_FROM = 4096, 65_536
TIMED = 8  # test photos that take turns in being timed

Scores = npt.NDArray[np.float64]


class Bench:
    """A category's patches, and how often they are searched for."""

    def __init__(
        self,
        category: Category,
        extractor: FeatureExtractor,
        scoring: Scoring,
        *,
        quick: bool,
    ) -> None:
        self.scoring = scoring
        train = evenly(category.train, 8 if quick else len(category.train))
        self.train = patches_of_files(train, extractor)
        self.test = balanced(category.test, 16 if quick else JUDGED)
        self.photos = patches_of_files([image.path for image in self.test], extractor)
        self.extractor = extractor
        self.prepared = [prepare(extractor, image) for image in self.test[:TIMED]]
        self.rounds, self.calls = (2, 2) if quick else (6, 4)
        self.patches = sum(map(len, self.train))

    def listed(self, search: PatchSearch) -> Callable[[Floats], Floats]:
        """Patch scores by lists, as many of the highest thorough as the score needs."""
        return lambda patches: search.patch_scores(patches, self.scoring.counted(len(patches)))

    def banks(self, sizes: Sequence[int]) -> Iterator[tuple[str, Floats]]:
        """How they were chosen, and their (N, D) vectors."""
        for size in sizes:
            if size <= self.patches:
                yield "by chance", draw(self.train, size)
        pool = draw(self.train, min(self.patches, CORESET_FROM), seed=1)
        size = min(CORESET, len(pool) // 2)
        yield "coreset", pool[greedy_k_center(pool, size, seed=0)]


def prepare(extractor: FeatureExtractor, image: LabelledImage) -> PreparedImage:
    data = image.path.read_bytes()
    return extractor.prepare(decode(data, at_least=extractor.spec.preprocess.at_least()))


def measure(bench: Bench, search: PatchSearch, chosen: str) -> Figures:
    """One bank's row."""
    few = len(search.bank) > LARGEST_JUDGED
    photos = bench.photos[:: max(1, len(bench.photos) // FEW)] if few else bench.photos
    exact = image_scores(bench.scoring, search.exact, photos)
    row: Figures = {
        "vectors": len(search.bank),
        "dimensions": search.bank.dimensions,
        "chosen": chosen,
        "plan": search.plan.model_dump(),
        "bytes": index_bytes(search),
        "resident": resident(search),
        "auroc_exact": None if few else auroc(exact, bench.test),
        **times(bench, search, few=few),
    }
    if search.lists is None:
        return row | {"test": None, "auroc_lists": None}
    listed = image_scores(bench.scoring, bench.listed(search), photos)
    return row | {
        "test": agreement(listed, exact),
        "auroc_lists": None if few else auroc(listed, bench.test),
    }


def times(bench: Bench, search: PatchSearch, *, few: bool) -> Figures:
    """Embedding, exact search and lists, in turn."""

    def of_photos(patch_scores: Callable[[Floats], Floats]) -> Callable[[], object]:
        photos = cycle(bench.photos[:TIMED])
        return lambda: bench.scoring.image_score(patch_scores(next(photos)))

    prepared = cycle(bench.prepared)
    contenders = {
        "embed": timed(lambda: bench.extractor.embed([next(prepared)])),
        "exact": timed(of_photos(search.exact)),
    }
    if search.lists is not None:
        contenders["lists"] = timed(of_photos(bench.listed(search)))
    found = in_turn(contenders, bench.rounds, 1 if few else bench.calls, dropped=0 if few else 1)
    row: Figures = {f"{name}_ms": spread(turns) for name, turns in found.items()}
    if "lists" not in found:
        return row | {"lists_ms": None, "exact_per_lists": None}
    return row | {"exact_per_lists": ratio(found["exact"], found["lists"])}


def image_scores(
    scoring: Scoring, patch_scores: Callable[[Floats], Floats], photos: Sequence[Floats]
) -> Scores:
    return np.array([scoring.image_score(patch_scores(photo)) for photo in photos])


def agreement(found: Scores, wanted: Scores) -> Figures:
    """How near scores come to the exact ones."""
    equal = np.array_equal(found, wanted)  # a correlation of equal ones may be undefined
    return {
        "photos": len(found),
        "rank_correlation": 1.0 if equal else round(float(spearmanr(found, wanted).statistic), 6),
        "largest_deviation": float(np.max(np.abs(found - wanted) / wanted)),
    }


def auroc(scores: Scores, test: Sequence[LabelledImage]) -> float:
    labels = np.array([image.is_defective for image in test])
    return metrics.auroc(scores[~labels], scores[labels])


def index_bytes(search: PatchSearch) -> dict[str, int]:
    """By what the arrays hold: the bank's vectors, and what the lists keep beside them."""
    lists = search.lists
    return {"vectors": search.bank.vectors.nbytes, "lists": lists.nbytes if lists else 0}


def resident(search: PatchSearch) -> dict[str, int | None]:
    """The same seen from outside, of a process of its own."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "bank.npz"
        arrays: dict[str, npt.NDArray[Any]] = {"vectors": search.bank.vectors}
        if search.lists is not None:
            arrays |= {"centroids": search.lists.centroids, "list_of": search.lists.assignments}
        np.savez(file, **arrays)  # type: ignore[arg-type] # its own options are keywords, too
        command = [sys.executable, "-m", "bench.resident", str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    found: dict[str, int | None] = json.loads(done.stdout)
    return found


TIMES = ("bank", "chosen", "embed ms", "exact ms", "lists ms", "exact / lists", "embed + lists ms")
AGREEMENT = (
    "bank", "chosen", "lists, read, thoroughly", "test photos", "rank correlation",
    "largest deviation", "AUROC exact", "AUROC lists",
)  # fmt: skip
MEMORY = ("bank", "chosen", "vectors", "lists beside them", "resident: exact", "with lists")


def markdown(figures: Figures) -> list[str]:
    """The tables of banks.json."""
    rows = figures["rows"]
    lines = []
    for columns, cells in ((TIMES, _times), (AGREEMENT, _agreement), (MEMORY, _memory)):
        named = [[f"{row['vectors']:,}", row["chosen"], *cells(row)] for row in rows]
        lines += [*tables.table(columns, named), ""]
    return lines[:-1]


def _times(row: Figures) -> list[str]:
    embed, listed = row["embed_ms"]["median"], row["lists_ms"]
    return [
        tables.number(embed),
        tables.spread(row["exact_ms"]),
        tables.spread(listed) if listed else "–",
        tables.spread(row["exact_per_lists"]) if listed else "–",
        tables.number(embed + (listed or row["exact_ms"])["median"]),
    ]


def _agreement(row: Figures) -> list[str]:
    plan, test = row["plan"], row["test"]
    aurocs = [_score(row["auroc_exact"]), _score(row["auroc_lists"])]
    if test is None:
        return ["exact", "–", "–", "–", *aurocs]
    return [
        "{lists}, {probes}, {thorough_probes}".format(**plan),
        str(test["photos"]),
        f"{test['rank_correlation']:.5f}",
        f"{test['largest_deviation']:.2%}",
        *aurocs,
    ]


def _memory(row: Figures) -> list[str]:
    held, seen = row["bytes"], row["resident"]
    return [
        tables.size(held["vectors"]),
        tables.size(held["lists"]) if held["lists"] else "–",
        tables.size(seen["exact"]),
        tables.size(seen["with_lists"]) if held["lists"] else "–",
    ]


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def main(
    data: DataOption = Path("data/elpv"),
    category: CategoryOption = "elpv_mono",
    preset: Annotated[str, typer.Option(help="Whose patches.")] = "patch",
    weights: WeightsOption = None,
    threads: ThreadsOption = 0,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Measure, print, write banks.json."""
    run = Run("banks", out, threads, quick=quick)
    try:
        method = load_preset(preset)
        extractor = FeatureExtractor.load(method.features, torch.device("cpu"), weights)
        bench = Bench(read_test_split(data, category), extractor, method.scoring, quick=quick)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    rows = []
    for chosen, vectors in bench.banks(QUICK_SIZES if quick else SIZES):
        few = len(vectors) > LARGEST_JUDGED
        planned_on = bench.train[:: max(1, len(bench.train) // (FEW if few else PLANNED_ON))]
        search = plan_search(
            MemoryBank(vectors), method.scoring, planned_on[: FEW if few else PLANNED_ON], seed=0
        )
        rows.append(measure(bench, search, chosen))
        console.print(f"{len(vectors):,} {chosen}: measured")
    figures = {"preset": preset, "set": category, "rows": rows}
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

"""What one photo costs, beside its bare backbone and beside anomalib's own inferencers.

    python -m bench.latency --data data/elpv --category elpv_mono --weights RESNET18.safetensors

Three questions, each with its contenders timed in turn (`rounds.py`), in one process:

    presets   `Detector.judge` of one prepared photo, which is embed + search + score, against the
              network alone (`backbone.py`), for each runtime and precision that runs here
    decode    bytes -> network input, in full and by the preset's reduced decode (`draft_margin`)
    peer      the same judge against anomalib's TorchInferencer and OpenVINOInferencer, with the
              same weights, the same prepared photo, and a bank of as many patches of the same
              training photos, each as its own side embeds them; and both sides' AUROC with the
              largest of these banks

Banks hold patches of the training photos, drawn by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import typer

from app.cli import ThreadsOption, WeightsOption, console, stop, warn
from app.core.arrays import Floats
from app.core.building.preset import Preset, load_preset
from app.core.detector import Detector
from app.core.errors import GoodsGuardError, WeightsNotFound
from app.core.evaluating import metrics
from app.core.features.backbones import get_backbone
from app.core.features.extractor import FeatureExtractor
from app.core.features.runtimes import PRECISIONS, RUNTIMES, Engine, choose_runtime, supports
from app.core.features.weights import find_weights
from app.core.judging.inspection import Photo
from app.core.photo.dataset import Category, LabelledImage, evenly, read_test_split
from app.core.photo.images import decode
from app.core.store.artifact import Artifact
from app.core.store.manifest import RuntimeRecord
from app.service.networks import faster_engine
from bench import tables
from bench.accuracy import ENVIRONMENT, REQUIREMENTS, Peer
from bench.backbone import BareBackbone
from bench.inferencers import Inferencers, prepare_environment
from bench.machine import CategoryOption, DataOption, Figures, OutOption, QuickOption, Run
from bench.rounds import Spread, Turn, Turns, in_turn, ratio, spread, timed
from bench.stock import (
    SIZES,
    draw,
    jpeg,
    knn_of,
    patches_of_files,
    shape_of,
    small_artifact,
    with_bank,
)

CPU = torch.device("cpu")
COMPARED = "patch"
INFERENCERS = {
    "torch": "TorchInferencer",
    "openvino": "OpenVINOInferencer",
    "openvino-f32": "OpenVINOInferencer, float32",
}

Pixels = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float64]


class Judge:
    """A detector and a photo as a contender; keeps how long its parts took."""

    def __init__(self, detector: Detector, photo: Photo) -> None:
        self._detector, self._photo = detector, photo
        self._parts: list[dict[str, float]] = []

    def __call__(self) -> None:
        self._parts.append(self._detector.judge([self._photo])[0].timings_ms)

    def part(self, name: str) -> float:
        """Median milliseconds of embed or search."""
        return Spread.of([parts[name] for parts in self._parts]).median


class Bench:
    """What the questions share: one category's photos, and how often they are timed."""

    def __init__(self, category: Category, weights: Path | None, *, quick: bool) -> None:
        train = evenly(category.train, 40 if quick else len(category.train))
        self.category = replace(category, train=tuple(train))
        self.rounds, self.calls = (2, 2) if quick else (6, 5)
        self.banks = (4000, 8000) if quick else (4000, 20_000)
        self.judged = 20 if quick else 80
        self._weights = weights

    def weights_for(self, preset: Preset) -> Path | None:
        """`--weights` is a ResNet's; other backbones find their own."""
        return self._weights if preset.features.backbone.startswith("resnet") else None

    def extractor(self, preset: Preset, runtime: str, precision: str) -> FeatureExtractor:
        make = choose_runtime(CPU, runtime, precision)
        return FeatureExtractor.load(preset.features, CPU, self.weights_for(preset), make)

    def stock(self, preset: Preset) -> tuple[Artifact, list[Floats], FeatureExtractor]:
        """An artifact to put banks into, and the training photos' patches."""
        extractor = self.extractor(preset, *engines()[0])
        base = small_artifact(self.category, preset, extractor)
        return base, patches_of_files(self.category.train, extractor), extractor

    def in_turn(self, contenders: dict[str, Turn]) -> dict[str, Turns]:
        return in_turn(contenders, self.rounds, self.calls)


def engines() -> list[Engine]:
    """What this machine's CPU runs, the one that builds banks first."""
    return [(r, p) for r in RUNTIMES for p in PRECISIONS if supports(r, p, CPU)]


def serving(preset: Preset) -> Engine:
    """What serves a bank of the first of them, if its golden photos agree."""
    name, precision = engines()[0]
    built_with = RuntimeRecord(name=name, precision=precision, device="cpu")
    return faster_engine(CPU)(preset.features, built_with) or (name, precision)


def measure_preset(bench: Bench, preset: Preset, run: Run) -> list[Figures]:
    """Judge against the bare backbone, all runtimes and precisions in turn."""
    base, patches, extractor = bench.stock(preset)
    artifact = with_bank(base, draw(patches, bench.banks[0]), patches, extractor)
    turns: dict[str, Turn] = {}
    judges: dict[str, Judge] = {}
    for runtime, precision in engines():
        name = f"{runtime} {precision}"
        served = bench.extractor(preset, runtime, precision)
        detector = Detector(artifact, served)
        judges[name] = Judge(detector, first_photo(detector, bench.category))
        spec, weights = served.spec, bench.weights_for(preset)
        bare = BareBackbone(spec, weights, runtime, precision, run.threads)
        turns[name] = timed(judges[name])
        turns[f"{name} backbone"] = timed(bare.one)
    found = bench.in_turn(turns)
    return [
        {
            "preset": preset.name,
            "engine": name,
            "bank": shape_of(knn_of(artifact)),
            "search": knn_of(artifact).search.plan.kind,
            "judge_ms": spread(found[name]),
            "embed_ms": judge.part("embed"),
            "search_ms": judge.part("search"),
            "backbone_ms": spread(found[f"{name} backbone"]),
            "judge_per_backbone": ratio(found[name], found[f"{name} backbone"]),
        }
        for name, judge in judges.items()
    ]


def first_photo(detector: Detector, category: Category) -> Photo:
    """A good photo of the test split: not in the bank, and no defect that takes a longer search."""
    good = next(image for image in category.test if not image.is_defective)
    return detector.read(good.path.read_bytes())


def measure_decode(bench: Bench, preset: Preset) -> list[Figures]:
    """Bytes to network input, in full and reduced."""
    preprocess = preset.features.preprocess

    def reader(data: bytes, at_least: tuple[int, int] | None) -> Callable[[], object]:
        return lambda: preprocess.prepare(decode(data, at_least=at_least))

    rows = []
    for name, size in SIZES.items():
        data = jpeg(bench.category.train[0], size)
        turns = {
            "full": timed(reader(data, None)),
            "draft": timed(reader(data, preprocess.at_least())),
        }
        found = bench.in_turn(turns)
        rows.append(
            {
                "photo": name,
                "bytes": len(data),
                "full_ms": spread(found["full"]),
                "draft_ms": spread(found["draft"]),
                "full_per_draft": ratio(found["full"], found["draft"]),
            }
        )
    return rows


def measure_peer(bench: Bench, preset: Preset, peer: Peer, run: Run) -> Figures:
    """anomalib's inferencers and ours, with banks of equal size, in turn; then their AUROC."""
    python = peer.python()
    prepare_environment(python)
    base, patches, usual = bench.stock(preset)
    served = {" ".join(engine): bench.extractor(preset, *engine) for engine in engines()}
    ours: dict[str, Detector] = {}
    for count in bench.banks:
        artifact = with_bank(base, draw(patches, count), patches, usual)
        ours |= {f"ours, {e}, {count}": Detector(artifact, x) for e, x in served.items()}
    reader = next(iter(ours.values()))
    first = first_photo(reader, bench.category)
    test = balanced(bench.category.test, bench.judged)
    photos = [reader.read(image.path.read_bytes()) for image in test]
    pixels = np.stack([photo.prepared.pixels for photo in (first, *photos)])
    train = np.stack([_pixels(reader, path) for path in bench.category.train])
    weights = find_weights(get_backbone(preset.features.backbone), bench.weights_for(preset))
    with Inferencers(python, preset, weights, bench.banks, train, pixels, run.threads) as theirs:
        asked = {_theirs(name): name for name in theirs.names}
        turns = {name: timed(Judge(detector, first)) for name, detector in ours.items()}
        turns |= {name: theirs.turn(question) for name, question in asked.items()}
        found = bench.in_turn(turns)
        largest = f", {max(bench.banks)}"
        scores = {n: _scores(d, photos) for n, d in ours.items() if n.endswith(largest)}
        scores |= {n: theirs.scores(q)[1:] for n, q in asked.items() if n.endswith(largest)}
    by_default = f"ours, {' '.join(serving(preset))}"
    return {
        "preset": preset.name,
        "served_by": by_default,
        "versions": theirs.versions,
        "rows": [
            {
                "contender": contender,
                "bank": int(count),
                "ms": spread(found[name]),
                "times_ours": ratio(found[name], found[f"{by_default}, {count}"]),
            }
            for name in found
            for contender, _, count in [name.rpartition(", ")]
        ],
        "accuracy": {
            "set": bench.category.name,
            "bank": max(bench.banks),
            **accuracy({n.removesuffix(largest): s for n, s in scores.items()}, test),
        },
    }


def _pixels(detector: Detector, path: Path) -> Pixels:
    return detector.read(path.read_bytes()).prepared.pixels


def _scores(detector: Detector, photos: Sequence[Photo]) -> Scores:
    return np.array([detector.judge([photo])[0].score for photo in photos])


def _theirs(asked: str) -> str:
    """`openvino-f32 4000` -> `anomalib OpenVINOInferencer, float32, 4000`."""
    engine, _, vectors = asked.partition(" ")
    return f"anomalib {INFERENCERS[engine]}, {vectors}"


def balanced(test: Sequence[LabelledImage], count: int) -> list[LabelledImage]:
    """`count` test images at most, half of them good where there are so many, evenly spread."""
    chosen = []
    for label in (False, True):
        images = [image for image in test if image.is_defective == label]
        chosen += evenly(images, count // 2)
    return chosen


def accuracy(scores: dict[str, Scores], test: Sequence[LabelledImage]) -> Figures:
    """AUROC of each contender's scores, with DeLong's interval."""
    labels = np.array([image.is_defective for image in test])
    rows = [
        {
            "contender": name,
            "auroc": metrics.auroc(found[~labels], found[labels]),
            "auroc_ci95": list(metrics.auroc_interval(found[~labels], found[labels])),
        }
        for name, found in scores.items()
    ]
    return {"n_good": int((~labels).sum()), "n_defective": int(labels.sum()), "rows": rows}


def markdown(figures: Figures) -> list[str]:
    """The tables of latency.json."""
    lines = [
        *tables.table(
            (
                "preset, engine",
                "bank",
                "judge ms",
                "embed",
                "search",
                "backbone ms",
                "judge / backbone",
            ),
            [
                [
                    f"{row['preset']}, {row['engine']}",
                    "{:,} × {}".format(*row["bank"]),
                    tables.spread(row["judge_ms"]),
                    tables.number(row["embed_ms"]),
                    tables.number(row["search_ms"]),
                    tables.spread(row["backbone_ms"]),
                    tables.spread(row["judge_per_backbone"]),
                ]
                for row in figures["presets"]
            ],
        ),
        "",
        *tables.table(
            ("JPEG", "size", "in full, ms", "reduced, ms", "full / reduced"),
            [
                [
                    row["photo"],
                    tables.size(row["bytes"]),
                    tables.spread(row["full_ms"]),
                    tables.spread(row["draft_ms"]),
                    tables.spread(row["full_per_draft"]),
                ]
                for row in figures["decode"]
            ],
        ),
    ]
    if figures["peer"]:
        lines += ["", *_peer_tables(figures["peer"])]
    return lines


def _peer_tables(peer: Figures) -> list[str]:
    accuracy = peer["accuracy"]
    judged = f"{accuracy['n_good']} good, {accuracy['n_defective']} defective photos"
    return [
        *tables.table(
            ("contender", "bank", "ms a photo", f"times {peer['served_by']}"),
            [
                [
                    row["contender"],
                    f"{row['bank']:,}",
                    tables.spread(row["ms"]),
                    tables.spread(row["times_ours"]),
                ]
                for row in peer["rows"]
            ],
        ),
        "",
        *tables.table(
            (f"{accuracy['set']}, bank of {accuracy['bank']:,}", f"AUROC (95 %), {judged}"),
            [[row["contender"], tables.auroc(row)] for row in accuracy["rows"]],
        ),
    ]


def main(
    data: DataOption = Path("data/elpv"),
    category: CategoryOption = "elpv_mono",
    weights: WeightsOption = None,
    threads: ThreadsOption = 0,
    peer: Annotated[bool, typer.Option(help="Measure anomalib's inferencers.")] = True,
    peer_environment: Annotated[
        Path, typer.Option(help="anomalib's environment, made where missing.")
    ] = ENVIRONMENT,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Measure, print, write latency.json."""
    run = Run("latency", out, threads, quick=quick)
    figures: Figures = {"presets": [], "decode": [], "peer": None}
    try:
        bench = Bench(read_test_split(data, category), weights, quick=quick)
        for name in (COMPARED, "embedded-patch"):
            preset = load_preset(name)
            try:
                figures["presets"] += measure_preset(bench, preset, run)
            except WeightsNotFound as exc:
                warn(f"{name} is left out: {exc}")
                continue
            if name == COMPARED and peer:
                rival = Peer(peer_environment.absolute(), REQUIREMENTS, ratio=1.0)
                figures["peer"] = measure_peer(bench, preset, rival, run)
            figures["decode"] = figures["decode"] or measure_decode(bench, preset)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

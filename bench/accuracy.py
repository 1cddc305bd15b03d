"""Ours against anomalib's PatchCore: the same weights, images and input size, in one run.

    python -m bench.accuracy --elpv data/elpv --bottle FOLDER --weights RESNET18.safetensors

Ours are presets as they stand, built, served and evaluated by the functions that the scripts call.
The peer is anomalib's own model class in an environment of its own, made on the first run (several
GB; see `peer_anomalib.py` for what it does). It resizes to the `patch` preset's input size and gets
that preset's backbone, layers and weights; its scores and maps are measured by the same
`evaluate()` as ours. `embedded-patch` is measured too, on weights of its own and without a peer.

On cartons, which are held before shelves, `patch` is measured with each look, too: `learned`, and
a box in the middle. `--crops FOLDER` writes copies of their photos cropped to that box there and
measures `patch` and the peer on them, so that both have the same region of interest.

A row that is there is measured again only if what it was made from has changed: the preset or, for
the peer, input size, layers, weights and coreset ratio; the images; or if `--again` says so. The
code is not among them: after a change of the pipeline, `--again --no-peer` renews our rows and
leaves the peer's. Its scores and maps stay in its environment's folder, so that a new metric costs
minutes and not its build. Where pip must be told which torch to take, `--peer-requirement` replaces
the list of what is installed, one requirement each.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import typer
from PIL import Image
from rich.box import SIMPLE
from rich.table import Table
from scipy.stats import betabinom

from app.cli import DeviceOption, ThreadsOption, WeightsOption, console, stop
from app.core.arrays import Floats
from app.core.building.build import build_bank
from app.core.building.looking import LookBox, LookChoice, LookLearned
from app.core.building.preset import Preset, load_preset
from app.core.detector import Detector
from app.core.errors import CalibrationError, GoodsGuardError
from app.core.evaluating.evaluation import EvaluationRun, evaluate
from app.core.evaluating.metrics import binomial_interval
from app.core.features.backbones import get_backbone
from app.core.features.extractor import FeatureExtractor
from app.core.features.runtimes import choose_device
from app.core.features.weights import WeightsFile, find_weights
from app.core.files import whole_file
from app.core.judging.calibration import Alpha
from app.core.photo.dataset import Category, evenly, list_categories, read_test_split
from app.core.photo.images import decode
from app.core.store.artifact import training_files_sha256
from app.core.threads import set_threads
from bench.crops import SUFFIX, cropped
from bench.stock import knn_of, shape_of

HERE = Path(__file__).parent
RESULTS = HERE / "results"
ENVIRONMENT = HERE.parent / ".venv-anomalib"

OURS = ("patch", "embedded-patch")
COMPARED = "patch"  # the preset that lends the peer its backbone, layers, weights and input size
ALPHAS = (0.05, 0.01)
# Where the goods are in most photos of cartons, as a person would draw it.
BOX = LookBox(kind="box", box=(0.3125, 0.1875, 0.6875, 0.8125))
LOOKS: tuple[LookChoice, ...] = (LookLearned(kind="learned"), BOX)
SEED = 0
# The torch that runs ours runs the peer, so that neither has the faster kernels.
REQUIREMENTS = (
    "anomalib==2.7.0",
    *(f"{name}=={metadata.version(name).split('+')[0]}" for name in ("torch", "torchvision")),
)
# The peer's coreset loop allocates a copy of all vectors for every pick; in large pages that takes
# half the time. To its advantage, and ours needs nothing of the kind.
LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

T = TypeVar("T")
Row = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """anomalib's environment, and how much of the patches its bank keeps."""

    environment: Path
    requirements: tuple[str, ...]
    ratio: float

    @property
    def method(self) -> str:
        return f"anomalib PatchCore, {self.ratio:.2%}"

    def python(self) -> Path:
        """The environment's interpreter; installs what is asked for if something else is there."""
        python, stamp = self.environment / "bin" / "python", self.environment / "requirements.txt"
        wanted = "\n".join(self.requirements) + "\n"
        if not stamp.is_file() or stamp.read_text() != wanted:
            console.print(f"installing {', '.join(self.requirements)} in {self.environment}")
            subprocess.run([sys.executable, "-m", "venv", str(self.environment)], check=True)
            (self.environment / ".gitignore").write_text("*\n")
            subprocess.run(
                [str(python), "-m", "pip", "install", "--quiet", *self.requirements], check=True
            )
            stamp.write_text(wanted)
        return python

    def answer(self, job: Row, *, again: bool) -> Answer:
        """Scores, maps and figures for a job; those of an equal job before, if there are any."""
        file = self.answer_file(job)
        if again or not file.is_file():
            python = self.python()
            file.parent.mkdir(exist_ok=True)
            self._run(python, job, file)
        with np.load(file) as stored:
            return Answer(json.loads(str(stored["figures"])), stored["scores"], stored["maps"])

    def answer_file(self, job: Row) -> Path:
        """Where the answer to a job lies, for these requirements."""
        asked = json.dumps([job, self.requirements], sort_keys=True)
        name = hashlib.sha256(asked.encode()).hexdigest()[:16]
        return self.environment / "answers" / f"{name}.npz"

    def _run(self, python: Path, job: Row, file: Path) -> None:
        description, log = file.with_suffix(".json"), file.with_suffix(".log")
        description.write_text(json.dumps(job))
        console.print(f"{self.method}: minutes to an hour; its progress goes to {log}")
        with whole_file(file) as partial, log.open("w") as progress:
            done = subprocess.run(
                # -P: nothing beside the script can stand in for a module of the peer's.
                [python, "-P", HERE / "peer_anomalib.py", description, partial],
                env=os.environ | LARGE_PAGES | {"OMP_NUM_THREADS": str(job["threads"])},
                stdout=progress,
                stderr=subprocess.STDOUT,
            )
            if done.returncode != 0:
                raise stop(f"the peer failed; see the end of {log}")


@dataclass(frozen=True)
class Answer:
    """What the peer found.

    Attributes:
        scores: (n,) of the test images, in order. maps: (n, S, S), or none.
    """

    figures: Row
    scores: npt.NDArray[np.float64]
    maps: Floats


@dataclass(frozen=True, slots=True)
class PeerJudgement:
    """A peer's score and map, as `evaluate()` wants a judgement."""

    score: float
    width: int
    height: int
    map: Floats | None = field(repr=False)


@dataclass
class Results:
    """The rows on disk, written after each; one per set and method."""

    folder: Path
    stem: str
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self._json.exists():
            self.rows = json.loads(self._json.read_text(encoding="utf-8"))

    @property
    def _json(self) -> Path:
        return self.folder / f"{self.stem}.json"

    def holds(self, category: str, made_from: Row) -> bool:
        wanted = json.loads(json.dumps(made_from))
        return any(r["set"] == category and r["made_from"] == wanted for r in self.rows)

    def put(self, row: Row) -> None:
        """Add a row in place of that of the same set and method, and write all."""
        place = (row["set"], row["kind"])
        self.rows = [r for r in self.rows if (r["set"], r["kind"]) != place]
        self.rows.append(json.loads(json.dumps(row)))
        self.rows.sort(key=lambda r: (r["set"], r["kind"]))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._json.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")
        (self.folder / f"{self.stem}.md").write_text(markdown(self.rows), encoding="utf-8")


@dataclass(frozen=True)
class Bench:
    """What all rows share."""

    weights: Path | None
    device: torch.device
    threads: int
    again: bool

    def weights_of(self, preset: Preset) -> WeightsFile:
        """`--weights` is a ResNet's; other backbones find their own."""
        backbone = get_backbone(preset.features.backbone)
        given = self.weights if backbone.name.startswith("resnet") else None
        return find_weights(backbone, given)

    def ours(self, category: Category, preset: Preset, made_from: Row) -> Row:
        """Build, serve and evaluate a preset."""
        weights = self.weights_of(preset)
        extractor = FeatureExtractor.load(preset.features, self.device, weights.path)
        built = build_bank(category, preset, extractor).artifact
        detector = Detector(built, extractor.with_spec(built.manifest.features))
        run = evaluate(category, built.manifest, detector.inspect, anomaly_map=detector.anomaly_map)
        good = np.array([s.score for s in run.scored if not s.image.is_defective])
        return self._row(category, preset.name, made_from, run) | {
            "method": f"ours, {preset.name}",
            "input_size": preset.features.preprocess.input_size,
            "bank": shape_of(knn_of(built)),
            "build_s": built.manifest.wall_time_s,
            "s_per_image": 1 / run.evaluation.images_per_second,
            "false_alarms": [false_alarms(built.calibration.scores, good, a) for a in ALPHAS],
            "versions": built.manifest.libraries,
        }

    def peer(self, category: Category, preset: Preset, peer: Peer, made_from: Row) -> Row:
        """Let the peer build and score; measure what it found."""
        answer = peer.answer(self._job(category, preset, peer), again=self.again)
        # evaluate() asks a manifest for names and the threshold, of which the peer has none that
        # promises a rate: the figures at a threshold are left out.
        manifest: Any = SimpleNamespace(
            category=category.name,
            bank_version="",
            preset=peer.method,
            threshold=SimpleNamespace(value=0.0, alpha=0.0),
        )
        run = evaluate(category, manifest, replay(answer), anomaly_map=peer_map)
        figures = answer.figures
        return self._row(category, "peer", made_from, run) | {
            "method": peer.method,
            "input_size": preset.features.preprocess.input_size,
            "bank": [figures["vectors"], figures["dimensions"]],
            "build_s": figures["build_s"],
            "s_per_image": figures["s_per_image"],
            "false_alarms": [None for _ in ALPHAS],
            "versions": figures["versions"],
        }

    def _job(self, category: Category, preset: Preset, peer: Peer) -> Row:
        defective = [image for image in category.test if image.is_defective]
        return {
            "what": "patchcore",
            "threads": self.threads,
            "seed": SEED,
            "device": str(self.device),
            "backbone": preset.features.backbone,
            "layers": list(preset.features.layers),
            "input_size": preset.features.preprocess.input_size,
            "ratio": peer.ratio,
            "weights": str(self.weights_of(preset).path.resolve()),
            "train": [str(path.absolute()) for path in category.train],
            "test": [str(image.path.absolute()) for image in category.test],
            "maps": all(image.mask for image in defective),
        }

    def _row(self, category: Category, kind: str, made_from: Row, run: EvaluationRun) -> Row:
        found = run.evaluation
        return {
            "set": category.name,
            "kind": kind,
            "n_train": len(category.train),
            "n_good": found.n_good,
            "n_defective": found.n_defective,
            "auroc": found.auroc,
            "auroc_ci95": found.auroc_ci95,
            "pixel_auroc": found.pixel_auroc,
            "aupro": found.aupro,
            "threads": self.threads,
            "device": self.device.type,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "made_from": made_from,
        }


def main(
    elpv: Annotated[Path | None, typer.Option(help="Folder with elpv_mono and elpv_poly.")] = None,
    bottle: Annotated[Path | None, typer.Option(help="Folder with bottle.")] = None,
    cartons: Annotated[
        Path | None, typer.Option(help="Folder of carton categories, ours only.")
    ] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 0,
    peer: Annotated[bool, typer.Option(help="Measure anomalib's rows, or leave them.")] = True,
    peer_on_cartons: Annotated[bool, typer.Option(help="On the cartons as well.")] = False,
    crops: Annotated[
        Path | None, typer.Option(help="Cropped copies of the cartons go here and are measured.")
    ] = None,
    peer_ratio: Annotated[
        float, typer.Option(min=1e-5, max=1, help="Coreset ratio of anomalib's bank.")
    ] = 0.01,
    peer_environment: Annotated[
        Path, typer.Option(help="anomalib's environment, made where missing.")
    ] = ENVIRONMENT,
    peer_requirement: Annotated[
        list[str] | None,
        typer.Option(help=f"What pip installs there (repeatable); default: {REQUIREMENTS}."),
    ] = None,
    only: Annotated[str, typer.Option(help="Only sets whose name contains this.")] = "",
    again: Annotated[bool, typer.Option(help="Measure rows that are there again.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=100, help="A trial: so many images to train and to test.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where accuracy.json and accuracy.md go.")] = RESULTS,
) -> None:
    """Measure what is missing, write it row by row, and print the table."""
    threads = set_threads(threads)
    results = Results(out, "accuracy" if limit is None else "accuracy-trial")
    requirements = tuple(peer_requirement or REQUIREMENTS)
    rival = Peer(peer_environment.absolute(), requirements, peer_ratio)
    try:
        bench = Bench(weights, choose_device(device), threads, again)
        for category, is_carton in read_sets(elpv, bottle, cartons, only, limit):
            for name in OURS:
                measure_ours(bench, results, category, load_preset(name))
            if peer and (peer_on_cartons or not is_carton):
                measure_peer(bench, results, category, load_preset(COMPARED), rival)
            if not is_carton:
                continue
            for look in LOOKS:
                measure_ours(bench, results, category, looking(load_preset(COMPARED), look))
            if crops is not None:
                copy = cropped(category, BOX.box, crops)
                measure_ours(bench, results, copy, load_preset(COMPARED))
                if peer:
                    measure_peer(bench, results, copy, load_preset(COMPARED), rival)
    except (GoodsGuardError, subprocess.CalledProcessError) as exc:
        raise stop(str(exc)) from exc
    console.print(rich_table(results.rows))


def looking(preset: Preset, look: LookChoice) -> Preset:
    """The preset with another look, under a name that says so."""
    return preset.model_copy(update={"name": f"{preset.name}, {look.kind}", "look": look})


def measure_ours(bench: Bench, results: Results, category: Category, preset: Preset) -> None:
    # The threshold's rule changes no score, and each alpha's threshold is computed here anew.
    method = preset.model_dump(mode="json", exclude={"description", "threshold"})
    method["features"]["weights_sha256"] = bench.weights_of(preset).sha256
    made_from = {"preset": method, "files_sha256": files_sha256(category)}
    _measure(bench, results, category, made_from, lambda: bench.ours(category, preset, made_from))


def measure_peer(
    bench: Bench, results: Results, category: Category, preset: Preset, peer: Peer
) -> None:
    made_from = {
        "requirements": list(peer.requirements),
        "ratio": peer.ratio,
        "seed": SEED,
        "backbone": preset.features.backbone,
        "layers": list(preset.features.layers),
        "weights_sha256": bench.weights_of(preset).sha256,
        "input_size": preset.features.preprocess.input_size,
        "files_sha256": files_sha256(category),
    }
    _measure(
        bench, results, category, made_from, lambda: bench.peer(category, preset, peer, made_from)
    )


def _measure(
    bench: Bench, results: Results, category: Category, made_from: Row, row: Callable[[], Row]
) -> None:
    if bench.again or not results.holds(category.name, made_from):
        found = row()
        results.put(found)
        console.print(f"{category.name}, {found['method']}: AUROC {_auroc(found)}", highlight=False)


def read_sets(
    elpv: Path | None, bottle: Path | None, cartons: Path | None, only: str, limit: int | None
) -> Iterator[tuple[Category, bool]]:
    """The test sets that are wanted, and whether each is one of the cartons."""
    places = [(bottle, "bottle", False), (elpv, "elpv_mono", False), (elpv, "elpv_poly", False)]
    if cartons is not None:
        names = [name for name in list_categories(cartons) if not name.endswith(SUFFIX)]
        places += [(cartons, name, True) for name in names]
    for root, name, is_carton in places:
        if root is not None and only in name:
            category = read_test_split(root, name)
            train, test = evenly(category.train, limit), evenly(category.test, limit)
            yield replace(category, train=tuple(train), test=tuple(test)), is_carton


def files_sha256(category: Category) -> str:
    """Changes with the images' names or sizes."""
    paths = [*category.train, *(image.path for image in category.test)]
    return training_files_sha256([(path, path.stat().st_size) for path in paths])


def replay(answer: Answer) -> Callable[[bytes], PeerJudgement]:
    """A stand-in for `Detector.inspect`: the peer's answers, in the test split's order."""
    found = enumerate(answer.scores.tolist())

    def inspect(data: bytes) -> PeerJudgement:
        image = decode(data)
        index, score = next(found)
        map_ = answer.maps[index] if len(answer.maps) else None
        return PeerJudgement(score, image.width, image.height, map_)

    return inspect


def peer_map(judgement: PeerJudgement, shape: tuple[int, int]) -> Floats | None:
    """The peer's map over the whole photo: it squashes photos, so that the map is stretched."""
    if judgement.map is None:
        return None
    stretched = Image.fromarray(judgement.map).resize(
        (shape[1], shape[0]), Image.Resampling.BILINEAR
    )
    return np.asarray(stretched, dtype=np.float32)


def false_alarms(calibration: Floats, good: npt.NDArray[np.float64], alpha: float) -> Row | None:
    """The observed false-alarm rate at a promised one; None where the promise cannot be made.

    Returns:
        with it: where alpha lies, seen from the rate's interval, and the chance of so many false
        alarms or more if the test's good photos are exchangeable with the calibration photos.
    """
    try:
        threshold = Alpha(alpha=alpha).value(calibration)
    except CalibrationError:
        return None
    hits, n = int((good > threshold).sum()), len(good)
    low, high = binomial_interval(hits, n)
    # Given the calibration, the true rate is a Beta variable (Vovk 2012, arXiv 1209.2673).
    above = int((calibration > threshold).sum())
    chance = betabinom.sf(hits - 1, n, above + 1, len(calibration) - above)
    return {
        "alpha": alpha,
        "threshold": threshold,
        "hits": hits,
        "n": n,
        "rate": hits / n,
        "ci95": [low, high],
        "alpha_is": "inside" if low <= alpha <= high else "outside",
        "chance": float(chance),
    }


COLUMNS = (
    "set", "method", "input", "AUROC (95 %)", "pixel AUROC", "AUPRO",
    *(f"false alarms at {alpha:.0%}" for alpha in ALPHAS),
    "bank", "build s", "s / image",
)  # fmt: skip


def cells(row: Row) -> list[str]:
    """One row of either table."""
    return [
        row["set"],
        row["method"],
        str(row["input_size"]),
        _auroc(row),
        _figure(row["pixel_auroc"]),
        _figure(row["aupro"]),
        *(_false_alarms(found) for found in row["false_alarms"]),
        "{} × {}".format(*row["bank"]),
        f"{row['build_s']:.0f}",
        f"{row['s_per_image']:.3f}",
    ]


def _auroc(row: Row) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(row["auroc"], *row["auroc_ci95"])


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _false_alarms(found: Row | None) -> str:
    if found is None:
        return "–"
    low, high = found["ci95"]
    return f"{found['rate']:.1%} ({low:.1%} to {high:.1%}), {found['alpha_is']}"


def rich_table(rows: Sequence[Row]) -> Table:
    table = Table(title="accuracy", box=SIMPLE, padding=0, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in COLUMNS[:2] else "right")
    for row in rows:
        # Intervals below their figures: in one line, the table would be wider than a screen.
        lines = (re.sub(r"(?<=,) (?=\D)| (?=\()", "\n", cell) for cell in cells(row))
        table.add_row(*lines)
    return table


def markdown(rows: Sequence[Row]) -> str:
    sets = {row["set"]: row for row in rows}.values()
    lines = [
        "# Accuracy, against anomalib's PatchCore",
        "",
        "Made by `bench/accuracy.py`. Peer and `patch` have the same ResNet18 weights, images and",
        "input size, and one implementation of the metrics. `embedded-patch` has other weights",
        "(EfficientNet-Lite0) and no peer. AUROC: per image, with DeLong's interval; differences",
        "within the intervals are noise. Pixel AUROC and AUPRO: where masks exist.",
        "",
        *_markdown_table(COLUMNS, [cells(row) for row in rows]),
        "",
        "- False alarms: observed rate on the test split's good images at the threshold that",
        "  promises 5 % or 1 %, its Clopper-Pearson interval, and whether the promised rate lies",
        "  inside or outside of it. The interval knows the test images' chance only, not that of",
        "  the calibration images; `chance` in accuracy.json has both: the probability of so many",
        "  or more if the good test images are exchangeable with the calibration images. The peer",
        "  makes no such promise: it takes its threshold from labelled defective images.",
        "- Build: images to finished bank, the network loaded. Ours includes the calibration,",
        "  which makes a bank anew for each fold; the peer has none, and keeps fewer vectors. Per",
        "  image: file to score, one photo at a time.",
        f"- Threads: {_distinct(rows, 'threads')}; device: {_distinct(rows, 'device')}. The peer's",
        "  memory lay in large pages, which halves the time of its coreset loop.",
        "",
        *_markdown_table(
            ("set", "train", "test good", "test defective"),
            [[str(row[k]) for k in ("set", "n_train", "n_good", "n_defective")] for row in sets],
        ),
    ]
    return "\n".join(lines) + "\n"


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _distinct(rows: Sequence[Row], key: str) -> str:
    return ", ".join(sorted({str(row[key]) for row in rows}))


if __name__ == "__main__":
    typer.run(main)

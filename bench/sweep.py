"""How the presets' choices were made: backbone, layers, input size, bank size, scaling, k, how a
distance is taken, image score rule.

Each row is one feature configuration and bank on one development set, by one look; its columns are
the image AUROC under each rule from patch scores to an image score. Rows are added to `sweep.json`
as they are measured and rendered to `sweep.md`; a row that is there already is not measured again.

    python -m bench.sweep --elpv data/elpv --bottle FOLDER --cartons FOLDER --weights FILE

`--only` takes parts of a row's name, as `"juice_carton resnet18"`. The photos' scores are kept in
`--scores`: differences to the default and pairs of backbones are made from them.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from app.cli import DeviceOption, ThreadsOption, WeightsOption, console
from app.core.building.looking import LookLearned
from app.core.building.preset import load_preset
from app.core.building.reading import read_batches
from app.core.evaluating import metrics
from app.core.features.extractor import FeatureExtractor, FeatureSpec
from app.core.features.runtimes import choose_device
from app.core.features.sample import Samples
from app.core.features.spool import Spool
from app.core.methods.knn import KnnSettings
from app.core.photo.dataset import Category, read_category
from app.core.photo.look import WHOLE, Look
from app.core.threads import set_threads
from bench.looks import BOX
from bench.sweep_page import DEFAULT_RULE, key, markdown
from bench.sweep_scores import PLAIN, ByRule, Scores, measure, scaled, together

RESULTS = Path(__file__).parent / "results"
KEPT = Path(tempfile.gettempdir()) / "goodsguard-sweep"

Row = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """One row's question."""

    backbone: str
    layers: tuple[str, ...]
    input_size: int
    vectors: int
    scaling: str = "none"
    k: int = 1
    seed: int = 0

    def spec(self) -> FeatureSpec:
        """The preset's features with this row's backbone, layers and input size."""
        preset = load_preset("patch" if self.backbone.startswith("resnet") else "embedded-patch")
        size = {"input_size": self.input_size}
        changes = {
            "backbone": self.backbone,
            "layers": self.layers,
            "preprocess": preset.features.preprocess.model_copy(update=size),
        }
        return preset.features.model_copy(update=changes)

    def record(self) -> Row:
        """As a row holds it."""
        found: Row = json.loads(json.dumps(asdict(self)))
        return found

    @property
    def name(self) -> str:
        return (
            f"{self.backbone} {'+'.join(self.layers)} {self.input_size}px N={self.vectors} "
            f"{self.scaling} k={self.k} seed={self.seed}"
        )


RESNET = ("layer2", "layer3")
LITE = ("blocks.2", "blocks.4")
DEFAULT = Config("resnet18", RESNET, 256, 4000)
EMBEDDED = Config("efficientnet_lite0", LITE, 256, 8000)
SEEDS = (0, 1, 2)
# Of these, good photos are held out, too.
HELD_OUT = tuple(replace(config, seed=s) for s in SEEDS for config in (DEFAULT, EMBEDDED))


def configs() -> Iterator[Config]:
    """The grid: one thing varied at a time, around the presets. What another seed of the same
    coreset changes is the measure for the rest."""
    yield from HELD_OUT
    for backbone, layers, usual in (("resnet18", RESNET, 4000), ("efficientnet_lite0", LITE, 8000)):
        for vectors in sorted({1000, 2000, 4000, 8000} - {usual}):
            yield Config(backbone, layers, 256, vectors)
        for layer in layers:
            yield Config(backbone, (layer,), 256, usual)
        for size in (224, 320):
            yield Config(backbone, layers, size, usual)
        for scaling in ("sqrt_std", "std"):
            yield Config(backbone, layers, 256, usual, scaling=scaling)
        yield Config(backbone, layers, 256, usual, k=3)
    yield Config("efficientnet_lite0", ("blocks.2", "blocks.3", "blocks.4"), 256, 8000)
    for backbone in ("efficientnet_lite1", "efficientnet_lite2"):
        yield Config(backbone, LITE, 256, 8000)


def main(
    elpv: Annotated[Path | None, typer.Option(help="Folder with elpv_mono and elpv_poly.")] = None,
    bottle: Annotated[Path | None, typer.Option(help="Folder with bottle.")] = None,
    cartons: Annotated[Path | None, typer.Option(help="Folder made by bench/cartons.")] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 0,
    only: Annotated[
        list[str] | None, typer.Option(help="Only rows whose name contains one of these.")
    ] = None,
    scores: Annotated[Path, typer.Option(help="Where photos' scores are kept.")] = KEPT,
    out: Annotated[Path, typer.Option(help="Where sweep.json and sweep.md go.")] = RESULTS,
) -> None:
    """Measure what is missing and render the table."""
    set_threads(threads)
    store = Store(out, scores)
    sets = [(elpv, "elpv_mono"), (elpv, "elpv_poly"), (bottle, "bottle")]
    sets += [(cartons, f"{kind}_carton") for kind in ("juice", "milk", "yoghurt")]
    for root, name in sets:
        if root is None:
            continue
        category = read_category(root, name)
        wanted = [c for c in configs() if any(o in f"{name} {c.name}" for o in only or [""])]
        for group in _by_features(wanted):
            missing = [config for config in group if not store.holds(name, config)]
            if not missing:
                continue
            source = weights if missing[0].backbone == "resnet18" else None
            extractor = FeatureExtractor.load(missing[0].spec(), choose_device(device), source)
            with Spool() as train, Spool() as test:
                _fill(train, category.train, extractor)
                _fill(test, [image.path for image in category.test], extractor)
                looks = _looks(train, is_carton=root == cartons)
                for config in missing:
                    store.put(category, config, _measured(config, train, test, looks))
        for seed in SEEDS:
            store.put_pair(category, replace(DEFAULT, seed=seed), replace(EMBEDDED, seed=seed))
    store.write()


def _by_features(wanted: Sequence[Config]) -> list[list[Config]]:
    groups: dict[tuple[object, ...], list[Config]] = {}
    for config in wanted:
        groups.setdefault((config.backbone, config.layers, config.input_size), []).append(config)
    return list(groups.values())


def _fill(spool: Spool, paths: Sequence[Path], extractor: FeatureExtractor) -> None:
    for photos, _ in read_batches(paths, extractor):
        embeddings = extractor.embed([photo.prepared for photo in photos])
        for photo, embedding in zip(photos, embeddings, strict=True):
            spool.append(extractor.sample(embedding, photo.prepared))


def _looks(train: Samples, *, is_carton: bool) -> dict[str, Look]:
    """Only goods before a varied background are looked at in part."""
    if not is_carton:
        return {"whole": WHOLE}
    learned, _ = LookLearned(kind="learned").learnt(train)
    return {"whole": WHOLE, "learned": learned, "box": BOX.seen()}


def _measured(config: Config, train: Samples, test: Samples, looks: dict[str, Look]) -> Scores:
    rule = KnnSettings(max_vectors=config.vectors, seed=config.seed, k=config.k)
    given = [scaled(samples, train, config.scaling) for samples in (train, test)]
    return measure(given[0], given[1], looks, rule, held_out=config in HELD_OUT)


class Store:
    """The rows, and the photos' scores that they were made of."""

    def __init__(self, out: Path, scores: Path) -> None:
        self._out, self._scores = out, scores
        out.mkdir(parents=True, exist_ok=True)
        scores.mkdir(parents=True, exist_ok=True)
        file = out / "sweep.json"
        self.rows: list[Row] = json.loads(file.read_text("utf-8")) if file.exists() else []

    def holds(self, name: str, config: Config) -> bool:
        """Whether it was measured; of those that others are made from, whether scores are there."""
        if config in HELD_OUT and not self._file(name, config).is_file():
            return False
        return any(row["set"] == name and row["config"] == config.record() for row in self.rows)

    def put(self, category: Category, config: Config, scores: Scores) -> None:
        """Keep the scores, and a row for each look and way to take distances."""
        _save(self._file(category.name, config), scores)
        usual = self._usual(category.name, config)
        for (look, distance), by_rule in scores.test.items():
            about = {"set": category.name, "look": look, "distance": distance}
            row = about | {"config": config.record()}
            default = usual.get((look, PLAIN), {}).get(DEFAULT_RULE)
            self._add(row | figures(by_rule, _labels(category), default))

    def put_pair(self, category: Category, one: Config, other: Config) -> None:
        """A row for two backbones together, where the scores of both are there."""
        files = [self._file(category.name, config) for config in (one, other)]
        if not all(file.is_file() for file in files):
            return
        first, second = map(_load, files)
        usual = self._usual(category.name, one)
        for at in first.held_out:
            held = first.held_out[at], second.held_out[at]
            by_rule = together(first.test[at], second.test[at], held)
            row = {"set": category.name, "look": at[0], "distance": at[1]}
            row |= {"config": one.record(), "with": other.record()}
            default = usual.get(at, {}).get(DEFAULT_RULE)
            self._add(row | figures(by_rule, _labels(category), default))

    def write(self) -> None:
        rows = json.dumps(self.rows, indent=1)
        (self._out / "sweep.json").write_text(rows + "\n", encoding="utf-8")
        (self._out / "sweep.md").write_text(markdown(self.rows), encoding="utf-8")

    def _add(self, row: Row) -> None:
        self.rows = [other for other in self.rows if key(other) != key(row)] + [row]
        self.write()
        told = row["set"], row["look"], row["distance"], Config(**row["config"]).name
        also = f" with {row['with']['backbone']}" if "with" in row else ""
        console.print(f"{' '.join(told)}{also}: {row['auroc'][DEFAULT_RULE]}", highlight=False)

    def _usual(self, name: str, config: Config) -> dict[tuple[str, str], ByRule]:
        """The default's scores, of the same bank where there is one."""
        file = self._file(name, config if replace(config, seed=0) == DEFAULT else DEFAULT)
        return _load(file).test if file.is_file() else {}

    def _file(self, name: str, config: Config) -> Path:
        digest = hashlib.sha256(f"{name} {config.name}".encode()).hexdigest()[:16]
        return self._scores / f"{name}-{digest}.npz"


def figures(
    by_rule: ByRule,
    is_defective: npt.NDArray[np.bool_],
    default: npt.NDArray[np.floating] | None,
) -> Row:
    """By rule the AUROC, its interval (DeLong) and, where the default's scores of the same photos
    are known, the difference to its AUROC with the paired interval."""
    found: Row = {"auroc": {}, "ci95": {}}
    if default is not None:
        found["difference"] = {}
    for rule, scores in by_rule.items():
        good, defective = scores[~is_defective], scores[is_defective]
        found["auroc"][rule] = round(metrics.auroc(good, defective), 4)
        found["ci95"][rule] = [round(x, 4) for x in metrics.auroc_interval(good, defective)]
        if default is not None:
            own = metrics.placements(good, defective)
            usual = metrics.placements(default[~is_defective], default[is_defective])
            apart = [mine - its for mine, its in zip(own, usual, strict=True)]
            half = 1.96 * float(metrics.auroc_variance(apart[0], apart[1])) ** 0.5
            middle = float(apart[0].mean())
            found["difference"][rule] = [round(x, 4) for x in (middle, middle - half, middle + half)]
    return found


def _labels(category: Category) -> npt.NDArray[np.bool_]:
    return np.array([image.is_defective for image in category.test])


def _save(file: Path, scores: Scores) -> None:
    arrays = {
        "|".join((kind, *at, rule)): values
        for kind, found in (("test", scores.test), ("held_out", scores.held_out))
        for at, by_rule in found.items()
        for rule, values in by_rule.items()
    }
    np.savez(file, allow_pickle=False, **arrays)


def _load(file: Path) -> Scores:
    scores = Scores({}, {})
    with np.load(file) as stored:
        for name in stored.files:
            kind, look, distance, rule = name.split("|")
            kept = scores.test if kind == "test" else scores.held_out
            kept.setdefault((look, distance), {})[rule] = stored[name]
    return scores


if __name__ == "__main__":
    typer.run(main)

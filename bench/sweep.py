"""How the presets' choices were made: layers, input size, bank size, scaling, k, image score rule.

Each row is one feature configuration and bank on one development set; its columns are the image
AUROC under each rule from patch scores to an image score. Rows are added to `sweep.json` as they
are measured and rendered to `sweep.md`; a row that is there already is not measured again.

    python -m bench.sweep --elpv data/elpv --bottle FOLDER --weights FILE
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.ndimage import gaussian_filter

from app.cli import DeviceOption, ThreadsOption, WeightsOption, console
from app.core.arrays import Floats
from app.core.building.preset import load_preset
from app.core.building.reading import read_batches
from app.core.evaluating import metrics
from app.core.features.extractor import FeatureExtractor, FeatureSpec
from app.core.features.runtimes import choose_device
from app.core.features.spool import Spool
from app.core.methods.knn import KnnSettings
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.knn.method import bank_of_samples
from app.core.photo.dataset import Category, read_category
from app.core.threads import set_threads

RESULTS = Path(__file__).parent / "results"
SHARES = (0.01, 0.02, 0.03, 0.05, 0.08)


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
        """The preset's features with this row's layers and input size."""
        preset = load_preset("patch" if self.backbone.startswith("resnet") else "embedded-patch")
        size = {"input_size": self.input_size}
        changes = {
            "layers": self.layers,
            "preprocess": preset.features.preprocess.model_copy(update=size),
        }
        return preset.features.model_copy(update=changes)


RESNET = ("layer2", "layer3")
LITE = ("blocks.2", "blocks.4")


def configs() -> Iterator[Config]:
    """The grid: one thing varied at a time, around the presets. What another seed of the same
    coreset changes is the measure for the rest."""
    for backbone, layers, usual in (("resnet18", RESNET, 4000), ("efficientnet_lite0", LITE, 8000)):
        for seed in range(4):
            yield Config(backbone, layers, 256, usual, seed=seed)
        for size in (224, 320):
            yield Config(backbone, layers, size, usual)
        for vectors in sorted({1000, 4000, 8000} - {usual}):
            yield Config(backbone, layers, 256, vectors)
        for scaling in ("sqrt_std", "std"):
            yield Config(backbone, layers, 256, usual, scaling=scaling)
        yield Config(backbone, layers, 256, usual, k=3)
        for layer in layers:
            yield Config(backbone, (layer,), 256, usual)
    yield Config("efficientnet_lite0", ("blocks.2", "blocks.3", "blocks.4"), 256, 8000)


def main(
    elpv: Annotated[Path | None, typer.Option(help="Folder with elpv_mono and elpv_poly.")] = None,
    bottle: Annotated[Path | None, typer.Option(help="Folder with bottle.")] = None,
    cartons: Annotated[
        Path | None, typer.Option(help="Folder made by bench/cartons; not in the grid's choices.")
    ] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 0,
    only: Annotated[str, typer.Option(help="Only rows whose name contains this.")] = "",
    out: Annotated[Path, typer.Option(help="Where sweep.json and sweep.md go.")] = RESULTS,
) -> None:
    """Measure what is missing and render the table."""
    set_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "sweep.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    sets = [(elpv, "elpv_mono"), (elpv, "elpv_poly"), (bottle, "bottle")]
    sets += [(cartons, f"{kind}_carton") for kind in ("juice", "milk", "yoghurt")]
    for root, name in sets:
        if root is None:
            continue
        category = read_category(root, name)
        for group in _by_features([c for c in configs() if only in f"{name} {_name(c)}"]):
            missing = [c for c in group if not any(_same(r, name, c) for r in rows)]
            if not missing:
                continue
            source = weights if missing[0].backbone == "resnet18" else None
            extractor = FeatureExtractor.load(missing[0].spec(), choose_device(device), source)
            with Spool() as train, Spool() as test:
                _fill(train, category.train, extractor)
                _fill(test, [image.path for image in category.test], extractor)
                for config in missing:
                    row = {"set": name, "config": asdict(config)} | _measure(
                        config, category, train, test
                    )
                    rows.append(json.loads(json.dumps(row)))
                    console.print(f"{name} {_name(config)} {row['auroc']}", highlight=False)
                    path.write_text(json.dumps(rows, indent=1) + "\n")
    (out / "sweep.md").write_text(markdown(rows))


def _by_features(wanted: Sequence[Config]) -> list[list[Config]]:
    groups: dict[tuple[object, ...], list[Config]] = {}
    for config in wanted:
        groups.setdefault((config.backbone, config.layers, config.input_size), []).append(config)
    return list(groups.values())


def _same(row: dict[str, Any], name: str, config: Config) -> bool:
    return bool(row["set"] == name and row["config"] == json.loads(json.dumps(asdict(config))))


def _name(config: Config) -> str:
    layers = "+".join(config.layers)
    return (
        f"{config.backbone} {layers} {config.input_size}px N={config.vectors} "
        f"{config.scaling} k={config.k} seed={config.seed}"
    )


def _fill(spool: Spool, paths: Sequence[Path], extractor: FeatureExtractor) -> None:
    for photos, _ in read_batches(paths, extractor):
        embeddings = extractor.embed([photo.prepared for photo in photos])
        for photo, embedding in zip(photos, embeddings, strict=True):
            spool.append(extractor.sample(embedding, photo.prepared))


def _measure(config: Config, category: Category, train: Spool, test: Spool) -> dict[str, Any]:
    labels = np.array([image.is_defective for image in category.test])
    scale = _scale(train, config.scaling)
    rule = KnnSettings(max_vectors=config.vectors, seed=config.seed)
    if config.scaling == "none":
        bank = bank_of_samples(train, rule)
    else:
        bank = _scaled_bank(train, scale, rule)
    maps = [_patch_scores(test, image, bank, scale, config.k) for image in range(len(test))]
    table: dict[str, Any] = {"auroc": {}, "ci95": {}}
    for name, scores in _rules(maps).items():
        good, defective = scores[~labels], scores[labels]
        table["auroc"][name] = round(metrics.auroc(good, defective), 4)
        table["ci95"][name] = [round(x, 4) for x in metrics.auroc_interval(good, defective)]
    return table


def _patch_scores(test: Spool, image: int, bank: MemoryBank, scale: Floats, k: int) -> Floats:
    distances, _ = bank.search(test[image].patches * scale, k)
    return np.asarray(distances.mean(axis=1)).reshape(test[image].cells.shape[:2])


def _scale(train: Spool, scaling: str) -> Floats:
    sample = np.concatenate([train[i].patches[::7] for i in range(len(train))])
    std = np.maximum(sample.std(axis=0), 1e-6)
    exponent = {"none": 0.0, "sqrt_std": -0.5, "std": -1.0}[scaling]
    return np.asarray(std**exponent, dtype=np.float32)


def _scaled_bank(train: Spool, scale: Floats, rule: KnnSettings) -> MemoryBank:
    with Spool() as scaled:
        for sample in train:
            scaled.append(replace(sample, cells=sample.cells * scale))
        return bank_of_samples(scaled, rule)


def _rules(maps: Sequence[Floats]) -> dict[str, Floats]:
    """Rules from n maps of (h, w) patch scores to (n,) image scores."""
    flat = [np.sort(m, axis=None) for m in maps]
    smooth = [gaussian_filter(m, 0.8, mode="nearest") for m in maps]
    rules = {
        "max": np.array([f[-1] for f in flat]),
        "smoothed max": np.array([m.max() for m in smooth]),
    }
    for share in SHARES:
        highest = [max(1, round(share * f.size)) for f in flat]
        rules[f"top {share:.0%}"] = np.array(
            [f[-n:].mean() for f, n in zip(flat, highest, strict=True)]
        )
    return rules


def markdown(rows: list[dict[str, Any]]) -> str:
    rules = list(rows[0]["auroc"]) if rows else []
    lines = [
        "# Sweep over the development sets",
        "",
        "Image AUROC by rule from patch scores to the image's score; made by `bench/sweep.py`.",
        "The widest 95 % interval of a row (DeLong) stands in the last column: differences within",
        "it are noise, and no choice was made on them alone. Rows that differ in the seed of",
        "the coreset only show what chance does to a bank.",
        "",
        "| set | backbone | layers | input | bank | scaling | k | seed | "
        + " | ".join(rules)
        + " | ± |",
        "|" + "---|" * (len(rules) + 9),
    ]
    for row in sorted(rows, key=lambda r: (r["set"], r["config"]["backbone"])):
        c = row["config"]
        widest = max((high - low) / 2 for low, high in row["ci95"].values())
        cells = [f"{row['auroc'][rule]:.4f}" for rule in rules]
        lines.append(
            f"| {row['set']} | {c['backbone']} | {' + '.join(c['layers'])} | {c['input_size']} "
            f"| {c['vectors']} | {c['scaling']} | {c['k']} | {c['seed']} | {' | '.join(cells)} "
            f"| {math.ceil(widest * 1000) / 1000:.3f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)

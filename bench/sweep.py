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

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.cli import DeviceOption, ThreadsOption, WeightsOption
from app.core.building.looking import LookLearned
from app.core.building.reading import read_batches
from app.core.features.extractor import FeatureExtractor
from app.core.features.runtimes import choose_device
from app.core.features.sample import Samples
from app.core.features.spool import Spool
from app.core.methods.knn import KnnSettings
from app.core.photo.dataset import read_category
from app.core.photo.look import WHOLE, Look
from app.core.threads import set_threads
from bench.accuracy import BOX
from bench.sweep_configs import DEFAULT, EMBEDDED, HELD_OUT, SEEDS, Config, configs
from bench.sweep_scores import Scores, measure, scaled
from bench.sweep_store import Store

RESULTS = Path(__file__).parent / "results"
KEPT = Path(tempfile.gettempdir()) / "goodsguard-sweep"


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
        for config in wanted:
            store.restore(category, config)
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


if __name__ == "__main__":
    typer.run(main)

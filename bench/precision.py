"""What a bank of float32 loses where its photos are embedded otherwise: may it be served so?

    python -m bench.precision --data data/elpv --category elpv_mono --weights RESNET18.safetensors

OpenVINO in float32 embeds the training photos, whose patches, drawn by chance, fill one bank. Each
engine then embeds the test split and scores it against that bank, as a service does. AUROC has
DeLong's interval; since all score the same photos, the difference from OpenVINO in float32 says
more: it has an interval of its own, of photos drawn again. Verdicts are those at the threshold that
5 % of the good photos exceed in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import typer
from scipy.stats import spearmanr

from app.cli import ThreadsOption, WeightsOption, console, stop, warn
from app.core.building.preset import Preset, load_preset
from app.core.errors import GoodsGuardError, WeightsNotFound
from app.core.evaluating import metrics
from app.core.features.extractor import FeatureExtractor
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.knn.search import PatchSearch
from app.core.methods.scoring import Scoring
from app.core.photo.dataset import Category, LabelledImage, evenly, read_test_split
from bench import tables
from bench.latency import Bench, balanced, engines
from bench.machine import CategoryOption, DataOption, Figures, OutOption, QuickOption, Run
from bench.stock import draw, patches_of_files

VECTORS = 2000
DRAWN_AGAIN = 1000
FALSE_ALARMS = 0.05

Scores = npt.NDArray[np.float64]


def engine_scores(
    bank: MemoryBank,
    scoring: Scoring,
    extractor: FeatureExtractor,
    test: Sequence[LabelledImage],
) -> Scores:
    """(n,) image scores by one engine against the bank, searched exactly."""
    photos = patches_of_files([image.path for image in test], extractor)
    return np.array([scoring.image_score(PatchSearch(bank).exact(p)) for p in photos])


def measure(bench: Bench, preset: Preset, test: Sequence[LabelledImage]) -> list[Figures]:
    """A row per engine, that of the bank first."""
    labels = np.array([image.is_defective for image in test])
    extractors = {" ".join(e): bench.extractor(preset, *e) for e in engines()}
    train = patches_of_files(bench.category.train, next(iter(extractors.values())))
    bank = MemoryBank(draw(train, min(VECTORS, sum(map(len, train)))))
    found = {name: engine_scores(bank, preset.scoring, e, test) for name, e in extractors.items()}
    reference = next(iter(found.values()))
    threshold = np.quantile(reference[~labels], 1 - FALSE_ALARMS)
    rows = []
    for name, scores in found.items():
        good, bad = scores[~labels], scores[labels]
        rows.append(
            {
                "preset": preset.name,
                "engine": name,
                "auroc": metrics.auroc(good, bad),
                "auroc_ci95": list(metrics.auroc_interval(good, bad)),
                "difference": metrics.auroc(good, bad)
                - metrics.auroc(reference[~labels], reference[labels]),
                "difference_ci95": difference_interval(scores, reference, labels),
                "rank_correlation": float(spearmanr(scores, reference).statistic),
                "median_deviation": float(np.median(np.abs(scores - reference) / reference)),
                "largest_deviation": float(np.max(np.abs(scores - reference) / reference)),
                "verdicts_changed": int(((scores > threshold) != (reference > threshold)).sum()),
                "false_alarms": float(np.mean(scores[~labels] > threshold)),
            }
        )
    return rows


def difference_interval(
    scores: Scores, reference: Scores, labels: npt.NDArray[np.bool_]
) -> list[float]:
    """95 % of the differences in AUROC, good and defective photos drawn again with replacement."""
    chances = np.random.default_rng(0)
    good, bad = (~labels).sum(), labels.sum()
    gained = pairs_in_order(scores, labels) - pairs_in_order(reference, labels)  # (good, bad)
    # how often each photo is drawn: (draws, good) and (draws, bad)
    of_good = chances.multinomial(good, np.full(good, 1 / good), DRAWN_AGAIN)
    of_bad = chances.multinomial(bad, np.full(bad, 1 / bad), DRAWN_AGAIN)
    differences = ((of_good @ gained) * of_bad).sum(axis=1) / (good * bad)
    low, high = np.percentile(differences, [2.5, 97.5]).tolist()
    return [low, high]


def pairs_in_order(scores: Scores, labels: npt.NDArray[np.bool_]) -> Scores:
    """(good, bad): 1 where the defective photo scores higher, 0.5 where equal; the mean: AUROC."""
    good, bad = scores[~labels][:, None], scores[labels]
    return np.asarray((good < bad) + 0.5 * (good == bad))


def markdown(figures: Figures) -> list[str]:
    """The table of precision.json."""
    return tables.table(
        (
            "preset, engine", "AUROC (95 %)", "difference (95 %)", "rank correlation",
            "scores moved by", "at most", "verdicts changed", "false alarms",
        ),
        [
            [
                f"{row['preset']}, {row['engine']}",
                tables.auroc(row),
                "{:+.4f} ({:+.4f} to {:+.4f})".format(row["difference"], *row["difference_ci95"]),
                f"{row['rank_correlation']:.5f}",
                f"{row['median_deviation']:.2%}",
                f"{row['largest_deviation']:.2%}",
                f"{row['verdicts_changed']} of {figures['n_good'] + figures['n_defective']}",
                f"{row['false_alarms']:.1%}",
            ]
            for row in figures["rows"]
        ],
    )  # fmt: skip


def main(
    data: DataOption = Path("data/elpv"),
    category: CategoryOption = "elpv_mono",
    weights: WeightsOption = None,
    threads: ThreadsOption = 0,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Measure, print, write precision.json."""
    run = Run("precision", out, threads, quick=quick)
    rows: list[Figures] = []
    try:
        goods = read_test_split(data, category)
        bench = Bench(few_trained(goods, 8 if quick else 120), weights, quick=quick)
        test = balanced(goods.test, 20) if quick else list(goods.test)
        for name in ("patch", "embedded-patch"):
            try:
                rows += measure(bench, load_preset(name), test)
            except WeightsNotFound as exc:
                warn(f"{name} is left out: {exc}")
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    labels = [image.is_defective for image in test]
    figures: Figures = {
        "set": category,
        "n_good": labels.count(False),
        "n_defective": labels.count(True),
        "vectors": VECTORS,
        "rows": rows,
    }
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


def few_trained(category: Category, count: int) -> Category:
    """The category with fewer training photos: so many fill a bank by chance just as well."""
    return replace(category, train=tuple(evenly(category.train, count)))


if __name__ == "__main__":
    typer.run(main)

"""False alarms promised and observed, by what calibration leaves out together.

    python -m bench.promise --elpv data/elpv --bottle FOLDER --cartons FOLDER --weights RESNET18

Each set is embedded once, by the `patch` preset; then its photos are grouped by `auto`, by SKU
(cartons) and not at all, and each grouping gives calibration scores by the build's own functions.
Their threshold meets the test split's good photos, and what is left out of training: photo by
photo, visit by visit, SKU by SKU. Cartons are looked at whole, and where the goods are (learned).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from app.cli import ThreadsOption, WeightsOption, console, stop
from app.core.arrays import Floats
from app.core.building import looking
from app.core.building.groups import Grouping, GroupRule, group
from app.core.building.looking import LookChoice, LookLearned, LookWhole
from app.core.building.preset import Preset, load_preset
from app.core.building.promise import Promise
from app.core.building.reading import read_batches
from app.core.building.seen import Seen
from app.core.errors import GoodsGuardError
from app.core.features.extractor import FeatureExtractor
from app.core.features.sample import Chosen, Samples
from app.core.features.spool import Spool
from app.core.files import write_whole
from app.core.judging.calibration import Alpha
from app.core.judging.held_out import hold_out
from app.core.methods.method import Lesson, Scorer
from app.core.photo.dataset import Category
from bench.accuracy import ALPHAS, false_alarms, read_sets
from bench.machine import RESULTS, OutOption, QuickOption, Run
from bench.tables import table

Row = dict[str, Any]
LOOKS: dict[str, LookChoice] = {"whole": LookWhole(), "learned": LookLearned(kind="learned")}
UNITS: dict[str, GroupRule] = {"auto": "auto", "sku": "sku", "none": "none"}
_QUICK = 100  # photos of a trial


@dataclass(frozen=True)
class Bench:
    """What all sets share."""

    preset: Preset
    weights: Path | None

    @cached_property
    def extractor(self) -> FeatureExtractor:
        return FeatureExtractor.load(self.preset.features, torch.device("cpu"), self.weights)

    def rows(self, category: Category, *, is_carton: bool) -> Iterator[Row]:
        """All of one set, embedded once."""
        with Spool() as spool, Spool() as tested:
            seen = Seen(Promise(category.name, Alpha(), len(category.train)))
            for photos, broken in read_batches(category.train, self.extractor):
                self._embed(seen.add(photos, broken), spool)
            good = [image.path for image in category.test if not image.is_defective]
            for photos, _ in read_batches(good, self.extractor):
                self._embed(photos, tested)
            copies = seen.copies()
            learnt = Chosen(spool, seen.places(copies.kept))
            shown_by = [[seen.paths[photo] for photo in members] for members in copies.sets()]
            units = [unit for unit in UNITS if is_carton or unit != "sku"]
            groupings = {
                unit: group([f[0] for f in shown_by], UNITS[unit], learnt, shown_by=shown_by)
                for unit in units
            }
            for look in LOOKS if is_carton else ["whole"]:
                yield from self._of_look(category.name, look, learnt, tested, groupings)

    def _embed(self, photos: Sequence[Any], spool: Spool) -> None:
        if photos:
            batch = self.extractor.embed([photo.prepared for photo in photos])
            for photo, features in zip(photos, batch, strict=True):
                spool.append(self.extractor.sample(features, photo.prepared))

    def _of_look(
        self,
        name: str,
        look: str,
        learnt: Samples,
        tested: Samples,
        groupings: dict[str, Grouping],
    ) -> Iterator[Row]:
        samples, extractor = looking.through(LOOKS[look], learnt, self.extractor)
        seen = tested if look == "whole" else [s.seen_by(extractor.look) for s in tested]
        choice, scoring = self.preset.method, self.preset.scoring
        lesson = Lesson(samples, groupings["none"].names, scoring)
        scorer = Scorer(choice.method.fit(choice.settings, lesson), scoring)
        good = np.array([scorer.score(sample) for sample in seen])
        left_out = {
            unit: self._left_out(samples, grouping, scorer) for unit, grouping in groupings.items()
        }
        for unit, grouping in groupings.items():
            yield {
                "set": name,
                "look": look,
                "unit": unit,
                "by": grouping.by,
                "groups": grouping.count,
                "n_train": len(samples),
                "grouping": grouping.sentence,
                "promised_for": grouping.promised_for,
                "false_alarms": [false_alarms(left_out[unit], good, a) for a in ALPHAS],
                "rate_on_left_out": {
                    other: [_above(scores, left_out[unit], alpha) for alpha in ALPHAS]
                    for other, scores in left_out.items()
                },
            }

    def _left_out(self, samples: Samples, grouping: Grouping, scorer: Scorer) -> Floats:
        """Calibration scores; of SKUs each by what learnt all others."""
        plan = self.preset.calibration
        folds = grouping.count if grouping.by == "sku" else plan.folds
        lesson = Lesson(samples, grouping.names, scorer.scoring)
        return hold_out(scorer.method, lesson, folds=folds, seed=plan.seed).scores


def _above(scores: Floats, calibration: Floats, alpha: float) -> float:
    return float((scores > Alpha(alpha=alpha).value(calibration)).mean())


def main(
    elpv: Annotated[Path | None, typer.Option(help="Folder with elpv_mono and elpv_poly.")] = None,
    bottle: Annotated[Path | None, typer.Option(help="Folder with bottle.")] = None,
    cartons: Annotated[Path | None, typer.Option(help="Folder of carton categories.")] = None,
    weights: WeightsOption = None,
    threads: ThreadsOption = 0,
    only: Annotated[str, typer.Option(help="Only sets whose name contains this.")] = "",
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Measure all sets, writing after each."""
    run = Run("promise", out, threads, quick=quick)
    bench = Bench(load_preset("patch"), weights)
    rows = _measured_before(out or RESULTS) if not quick else []
    try:
        for category, is_carton in read_sets(
            elpv, bottle, cartons, only, _QUICK if quick else None
        ):
            start = time.perf_counter()
            rows = [row for row in rows if row["set"] != category.name]
            for row in bench.rows(category, is_carton=is_carton):
                rows.append(row)
                file = run.write({"rows": rows})
                write_whole(file.with_suffix(".md"), markdown(rows))
            console.print(f"{category.name}: {time.perf_counter() - start:.0f} s", highlight=False)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    console.print(markdown(rows), markup=False, highlight=False)


def _measured_before(folder: Path) -> list[Row]:
    """Rows of sets that this run may not measure."""
    file = folder / "promise.json"
    return json.loads(file.read_text())["rows"] if file.is_file() else []


def markdown(rows: Sequence[Row]) -> str:
    """The page."""
    return ""


if __name__ == "__main__":
    typer.run(main)

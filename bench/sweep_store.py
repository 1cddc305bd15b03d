"""The rows of `bench.sweep` on disk, and the photos' scores that they are made of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.cli import console
from app.core.evaluating import metrics
from app.core.photo.dataset import Category
from bench.sweep_changes import DEFAULT_RULE
from bench.sweep_configs import DEFAULT, EMBEDDED, HELD_OUT, Config, Row
from bench.sweep_page import key, markdown
from bench.sweep_scores import PLAIN, ByRule, Scores, together


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
        return bool(self._rows_of(name, config))

    def _rows_of(self, name: str, config: Config) -> list[Row]:
        record = config.record()
        return [row for row in self.rows if row["set"] == name and row["config"] == record]

    def restore(self, category: Category, config: Config) -> None:
        """The rows of a configuration whose scores are there and whose rows are not."""
        file = self._file(category.name, config)
        if file.is_file() and not self._rows_of(category.name, config):
            self.put(category, config, _load(file))

    def put(self, category: Category, config: Config, scores: Scores) -> None:
        """Keep the scores, and a row for each look and way to take distances."""
        _save(self._file(category.name, config), scores)
        usual = self._usual(category.name, config)
        for (look, distance), by_rule in scores.test.items():
            row: Row = {"set": category.name, "look": look, "distance": distance}
            row |= {"config": config.record()}
            default = usual.get((look, PLAIN), {}).get(DEFAULT_RULE)
            self._add(row | figures(by_rule, _labels(category), default))
        self.write()

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
            row: Row = {"set": category.name, "look": at[0], "distance": at[1]}
            row |= {"config": one.record(), "with": other.record()}
            default = usual.get(at, {}).get(DEFAULT_RULE)
            self._add(row | figures(by_rule, _labels(category), default))
        self.write()

    def write(self) -> None:
        rows = json.dumps(self.rows, indent=1)
        (self._out / "sweep.json").write_text(rows + "\n", encoding="utf-8")
        (self._out / "sweep.md").write_text(markdown(self.rows), encoding="utf-8")

    def _add(self, row: Row) -> None:
        self.rows = [other for other in self.rows if key(other) != key(row)] + [row]
        told = row["set"], row["look"], row["distance"], Config(**row["config"]).name
        also = f" with {row['with']['backbone']}" if "with" in row else ""
        console.print(f"{' '.join(told)}{also}: {row['auroc'][DEFAULT_RULE]}", highlight=False)

    def _usual(self, name: str, config: Config) -> dict[tuple[str, str], ByRule]:
        """The scores of the preset that it is a change of, of the same bank where there is one."""
        preset = DEFAULT if config.backbone.startswith("resnet") else EMBEDDED
        file = self._file(name, config if replace(config, seed=0) == preset else preset)
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
            found["difference"][rule] = [
                round(x, 4) for x in (middle, middle - half, middle + half)
            ]
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

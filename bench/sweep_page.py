"""The page of `bench.sweep`: the rows, and which change of the default they would allow."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from bench.tables import table

DEFAULT_RULE = "top 1%"
# The preset `patch`, of which others are changes.
DEFAULT = {
    "backbone": "resnet18",
    "layers": ["layer2", "layer3"],
    "input_size": 256,
    "vectors": 4000,
    "scaling": "none",
    "k": 1,
    "seed": 0,
}
# No set may lose more by a change of the default.
MOST_LOST = 0.002
_LEAST_SETS = 3

Row = dict[str, Any]


def key(row: Row) -> str:
    """What a row asks; rows of an equal key answer the same question. Rows of an earlier release
    say nothing of looks and distances: theirs are the whole photo and the plain distance."""
    asked = row["set"], _look(row), _distance(row), row["config"], row.get("with")
    return json.dumps(asked, sort_keys=True)


def markdown(rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=_order)
    return "\n".join(
        [
            "# Sweep over the development sets",
            "",
            "Image AUROC by rule from patch scores to the image's score; made by `bench/sweep.py`.",
            "In brackets the 95 % interval (DeLong) of the preset's rule, top 1 %; ± is the widest",
            "half of such an interval in the row. Differences within it are noise, and no choice",
            "was made on them alone. Rows that differ in the seed of the coreset only show what",
            "chance does to a bank.",
            "",
            *_legend(),
            *(line for name, group in _by_set(ordered) for line in _section(name, group)),
            *conclusion(ordered),
            "",
        ]
    )


def _legend() -> list[str]:
    return [
        "- look: *whole*, or the part judged; all of each good photo teaches the bank. The damage",
        "  on the cartons is drawn; on the other sets it is real.",
        "- top: mean of the highest patches, a share of the whole photo's, in a look in part at most",
        "  5 % of those looked at. *of looked*: a share of the patches looked at. *of photo*: one of",
        "  the whole photo's, however small the part looked at.",
        "- distance: *plain*; *over mean*, by what held-out good patches have on average at the same",
        "  bank vector; *standardised*, by their mean and spread there. Both are pulled to the bank's",
        "  own by 20 patches; held-out distances are to banks of half the photos, half as large.",
        "- backbones with & between: the mean of both scores, each standardised by those of held-out",
        "  good photos.",
        "- Δ: AUROC less the default's on the same photos by the same look, both by top 1 %, with",
        "  the paired interval.",
        "",
    ]


def _by_set(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for name, group in groupby(rows, key=lambda row: str(row["set"])):
        yield name, list(group)


_FIRST = ("look", "backbone", "layers", "input", "bank", "scaling", "k", "distance", "seed")


def _section(name: str, rows: Sequence[Row]) -> list[str]:
    main = [rule for rule in _rules(rows) if " of " not in rule]
    lines = [f"## {name}", ""]
    columns = (*_FIRST, *main, "top 1% (95 %)", "±", "Δ (95 %)")
    lines += [*table(columns, [_cells(row, main) for row in rows]), ""]
    parts = [row for row in rows if _look(row) != "whole"]
    if parts:
        others = [rule for rule in _rules(parts) if " of " in rule]
        lines += ["Looks in part, by other shares:", ""]
        some = [[*_about(row), *_aurocs(row, others)] for row in parts]
        lines += [*table((*_FIRST, *others), some), ""]
    return lines


def _rules(rows: Sequence[Row]) -> list[str]:
    """All rules of the rows: shares in their order, the maximum first."""
    found = {rule for row in rows for rule in row["auroc"]}

    def order(rule: str) -> tuple[str, float]:
        kind = rule.partition("%")[2]
        share = rule.removeprefix("top ").partition("%")[0]
        return (kind, float(share)) if "%" in rule else ("", -len(rule) - 1 if rule == "max" else 0)

    return sorted(found, key=order)


def _about(row: Row) -> list[str]:
    config, other = row["config"], row.get("with")
    both = [config] if other is None else [config, other]
    return [
        _look(row),
        " & ".join(one["backbone"] for one in both),
        " & ".join(" + ".join(one["layers"]) for one in both),
        str(config["input_size"]),
        " & ".join(f"{one['vectors']:,}" for one in both),
        config["scaling"],
        str(config["k"]),
        _distance(row),
        str(config["seed"]),
    ]


def _cells(row: Row, rules: Sequence[str]) -> list[str]:
    low, high = row["ci95"][DEFAULT_RULE]
    widest = max((high - low) / 2 for low, high in row["ci95"].values())
    difference = row.get("difference")
    return [
        *_about(row),
        *_aurocs(row, rules),
        f"({low:.3f} to {high:.3f})",
        f"{math.ceil(widest * 1000) / 1000:.3f}",
        "" if difference is None else "{:+.4f} ({:+.4f} to {:+.4f})".format(*difference[DEFAULT_RULE]),
    ]


def _aurocs(row: Row, rules: Sequence[str]) -> list[str]:
    return [f"{row['auroc'][rule]:.4f}" if rule in row["auroc"] else "–" for rule in rules]


def _order(row: Row) -> tuple[Any, ...]:
    config = row["config"]
    return (
        row["set"], ("whole", "learned", "box").index(_look(row)), config["backbone"],
        "with" in row, config["layers"] != DEFAULT["layers"], config["layers"],
        config["input_size"] != 256, config["input_size"], config["scaling"], config["k"],
        _distance(row), config["vectors"], config["seed"],
    )  # fmt: skip


def _look(row: Row) -> str:
    return str(row.get("look", "whole"))


def _distance(row: Row) -> str:
    return str(row.get("distance", "plain"))


@dataclass(frozen=True)
class Change:
    """What one change of the default does over the sets on which it was measured.

    Attributes:
        gains: by set the mean over its looks of the AUROC's difference to the default's.
        worst: the lowest difference of all sets and looks, and where it is.
        noise: half of a 95 % interval of the mean gain: chance in the photos and in the coreset.
    """

    what: str
    gains: dict[str, float]
    worst: tuple[float, str]
    noise: float

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.gains.values())))

    @property
    def allowed(self) -> bool:
        """By the rule; the set that was not measured counts as one that loses."""
        return self.worst[0] >= -MOST_LOST and self.mean > self.noise


def changes(rows: Sequence[Row]) -> list[Change]:
    """Every change of one thing whose difference to the default is known, the best mean first."""
    variance = seed_variance(rows)
    found: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        for what, rule in _asked(row):
            if rule in row.get("difference", {}):
                found[what][row["set"]][_look(row)] = row["difference"][rule]
    return sorted((_change(*item, variance) for item in found.items()), key=lambda c: -c.mean)


def _asked(row: Row) -> Iterator[tuple[str, str]]:
    """The changes of which a row tells, and the rule by whose difference."""
    config = row["config"]
    different = [
        f"{name} {'+'.join(value) if isinstance(value, list) else value}"
        for name, value in config.items()
        if name != "seed" and value != DEFAULT[name]
    ]
    if "with" in row:
        different.append(f"with {row['with']['backbone']}")
    if _distance(row) != "plain":
        different.append(f"distance {_distance(row)}")
    if config["seed"] != 0:
        return
    if different:
        # Another backbone has other layers and another usual size of the bank.
        yield ", ".join(different), DEFAULT_RULE
    else:
        for rule in row["auroc"]:
            if rule != DEFAULT_RULE:
                yield f"rule {rule}", rule


def _change(what: str, found: dict[str, dict[str, list[float]]], seeds: float) -> Change:
    gains = {name: float(np.mean([d[0] for d in looks.values()])) for name, looks in found.items()}
    worst = min((d[0], f"{name}, {look}") for name, of in found.items() for look, d in of.items())
    # Looks of one set share its photos: the widest interval of them, not their mean's.
    photos = [max((d[2] - d[1]) / 2 / 1.96 for d in of.values()) ** 2 for of in found.values()]
    # A rule reads the same bank; another bank is another draw, and so was the default's.
    banks = 0.0 if what.startswith(("rule", "distance")) else 2 * seeds
    noise = 1.96 * math.sqrt((sum(photos) + len(gains) * banks) / len(gains) ** 2)
    return Change(what, gains, worst, noise)


def seed_variance(rows: Sequence[Row]) -> float:
    """Of the default's AUROC of a set between seeds of the coreset, pooled over sets; looks of one
    set are averaged first. 0 where there are no seeds to compare."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        same = row["config"] | {"seed": 0} == DEFAULT
        if same and "with" not in row and _distance(row) == "plain":
            found[row["set"]][row["config"]["seed"]].append(row["auroc"][DEFAULT_RULE])
    squares, degrees = 0.0, 0
    for seeds in found.values():
        looks = max(len(values) for values in seeds.values())
        means = [float(np.mean(values)) for values in seeds.values() if len(values) == looks]
        squares += float(np.var(means)) * len(means)
        degrees += len(means) - 1
    return squares / degrees if degrees else 0.0


def conclusion(rows: Sequence[Row]) -> list[str]:
    sets = {row["set"] for row in rows if "difference" in row}
    found = [change for change in changes(rows) if len(change.gains) >= min(_LEAST_SETS, len(sets))]
    if not found:
        return []
    allowed = [c for c in found if c.allowed and set(c.gains) == sets]
    lines = [
        "## What may change",
        "",
        f"A default may change if no set loses more than {MOST_LOST:g} by any look and the mean over",
        "the sets gains more than noise: half of a 95 % interval from the photos (paired, DeLong) and",
        f"from the seed of the coreset (standard deviation {seed_variance(rows) ** 0.5:.4f} a set).",
        "The default is the preset `patch`; a set's gain is the mean of its looks'.",
        "",
        *table(
            ("change", "sets", "mean gain", "noise ±", "worst", "where", "allowed"),
            [_line(change, sets) for change in found],
        ),
        "",
    ]
    if not allowed:
        return [*lines, "No change is allowed by this rule; the defaults stay as they are."]
    names = "; ".join(change.what for change in allowed)
    return [
        *lines,
        f"Allowed by this rule: {names}. {len(found)} changes were tried at once, so that the best",
        "of them looks better than it is.",
    ]


def _line(change: Change, sets: set[str]) -> list[str]:
    verdict = "no"
    if change.allowed:
        verdict = "yes" if set(change.gains) == sets else "not measured on all sets"
    return [
        change.what, f"{len(change.gains)} of {len(sets)}", f"{change.mean:+.4f}",
        f"{change.noise:.4f}", f"{change.worst[0]:+.4f}", change.worst[1], verdict,
    ]  # fmt: skip

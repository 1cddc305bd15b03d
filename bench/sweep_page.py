"""The page of `bench.sweep`: the rows, and which change of the default they would allow."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from bench.sweep_changes import DEFAULT_RULE, conclusion, distance_of, look_of
from bench.sweep_configs import Row
from bench.tables import table


def key(row: Row) -> str:
    """What a row asks; rows of an equal key answer the same question. Rows of an earlier release
    say nothing of looks and distances: theirs are the whole photo and the plain distance."""
    asked = row["set"], look_of(row), distance_of(row), row["config"], row.get("with")
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
            *(
                line
                for name, group in groupby(ordered, lambda row: str(row["set"]))
                for line in _section(name, list(group))
            ),
            *conclusion(ordered),
            "",
        ]
    )


def summary(rows: Sequence[Row]) -> list[str]:
    """Lines for a page of all benches: what may change, and where the rows are."""
    return [
        "Image AUROC of one thing changed at a time, made by `bench/sweep.py`. All rows, by set,",
        "look and rule from patch scores to the image's score, are in",
        "[results/sweep.md](results/sweep.md).",
        "",
        *(f"#{line}" if line.startswith("## ") else line for line in conclusion(rows)),
    ]


def _legend() -> list[str]:
    return [
        "- look: *whole*, or the part judged; all of each good photo teaches the bank. The damage",
        "  on the cartons is drawn; on the other sets it is real.",
        "- top: mean of the highest patches, a share of the whole photo's, in a look in part at",
        "  most 5 % of those looked at. *of looked*: a share of the patches looked at. *of photo*:",
        "  a share of the whole photo's, however small the part looked at.",
        "- distance: *plain*; *over mean* and *less mean*, by what held-out good patches have on",
        "  average at the same bank vector; *standardised*, by their mean and spread there;",
        "  *half standardised*, with half of that mean and half of the bank's. Mean and spread are",
        "  pulled to the bank's own by 20 patches; held-out distances are to banks of the other",
        "  half of the photos, half as large. The half was chosen on juice_carton and elpv_mono,",
        "  before the other sets were measured.",
        "- backbones with & between: the mean of both scores, each standardised by those of",
        "  held-out good photos.",
        "- Δ: AUROC less that of the backbone's preset (`patch`; `embedded-patch` for all Lites)",
        "  on the same photos by the same look, both by top 1 %, with the paired interval. The",
        "  preset's bank is that of the same seed where rule, distance or a second backbone",
        "  differ, else of seed 0.",
        "",
    ]


_FIRST = ("look", "backbone", "layers", "input", "bank", "scaling", "k", "distance", "seed")


def _section(name: str, rows: Sequence[Row]) -> list[str]:
    main = [rule for rule in _rules(rows) if " of " not in rule]
    lines = [f"## {name}", ""]
    columns = (*_FIRST, *main, "top 1% (95 %)", "±", "Δ (95 %)")
    lines += [*table(columns, [_cells(row, main) for row in rows]), ""]
    parts = [row for row in rows if look_of(row) != "whole"]
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
        look_of(row),
        " & ".join(one["backbone"] for one in both),
        " & ".join(" + ".join(one["layers"]) for one in both),
        str(config["input_size"]),
        " & ".join(f"{one['vectors']:,}" for one in both),
        config["scaling"],
        str(config["k"]),
        distance_of(row),
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
        ""
        if difference is None
        else "{:+.4f} ({:+.4f} to {:+.4f})".format(*difference[DEFAULT_RULE]),
    ]


def _aurocs(row: Row, rules: Sequence[str]) -> list[str]:
    return [f"{row['auroc'][rule]:.4f}" if rule in row["auroc"] else "–" for rule in rules]


def _order(row: Row) -> tuple[Any, ...]:
    config = row["config"]
    return (
        row["set"], ("whole", "learned", "box").index(look_of(row)), config["backbone"],
        "with" in row, -len(config["layers"]), config["layers"],
        config["input_size"] != 256, config["input_size"], config["scaling"], config["k"],
        distance_of(row) != "plain", distance_of(row), config["vectors"], config["seed"],
    )  # fmt: skip

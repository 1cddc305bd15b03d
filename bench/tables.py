"""Figures as markdown tables; shared by what a bench prints and the page of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Spread = dict[str, float]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; all columns but the first are numbers, set to the right."""
    rule = ["---", *("---:" for _ in columns[1:])]
    return ["| " + " | ".join(line) + " |" for line in (columns, rule, *rows)]


def number(value: float) -> str:
    """Three digits that count: 0.123, 1.23, 12.3, 123, 1,234."""
    if value == 0:
        return "0"
    decimals = next((d for d, least in ((0, 99.95), (1, 9.995), (2, 0.9995)) if value >= least), 3)
    return f"{value:,.{decimals}f}"


def spread(found: Spread, unit: str = "") -> str:
    """Median and quartiles: `12.3 (11.9 to 13.0)`."""
    low, high = number(found["q1"]), number(found["q3"])
    return f"{number(found['median'])}{unit} ({low} to {high})"


def size(count: float) -> str:
    """Bytes for people: `31 MB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{number(count / scale)} {unit}"
    return f"{count:.0f} B"


def auroc(row: dict[str, Any]) -> str:
    """With its interval: `0.947 (0.925 to 0.962)`."""
    return "{:.3f} ({:.3f} to {:.3f})".format(row["auroc"], *row["auroc_ci95"])

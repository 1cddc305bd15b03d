"""The looks that were tried at a build, as a table for the terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from ..core.store.look_trial import LookTrial


def look_trial_table(category: str, trial: LookTrial) -> Table:
    """A row for each look; empty where none was tried."""
    table = Table(title=escape(f"{category}: looks tried on drawn damage"), caption=trial.why)
    table.add_column("look")
    for column in ("AUROC", "95 %", "less whole", "95 %"):
        table.add_column(column, justify="right")
    parts = list(trial.rows[0].by) if trial.rows else []
    for part in parts:
        table.add_column(part.replace("_", " "), justify="right")
    for row in trial.rows:
        difference = "" if row.difference is None else f"{row.difference:+.3f}"
        table.add_row(
            f"{row.look} *" if row.look == trial.taken else row.look,
            f"{row.auroc:.3f}",
            _interval(row.ci95, ".3f"),
            difference,
            "" if row.difference_ci95 is None else _interval(row.difference_ci95, "+.3f"),
            *(f"{row.by[part]:.2f}" for part in parts),
        )
    return table


def _interval(ends: tuple[float, float], form: str) -> str:
    return " to ".join(f"{end:{form}}" for end in ends)

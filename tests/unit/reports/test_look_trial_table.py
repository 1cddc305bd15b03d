"""The table of looks that were tried."""

from __future__ import annotations

from rich.console import Console

from app.core.store.look_trial import LookRow, LookTrial
from app.reports.look_trial_table import look_trial_table


def test_a_row_for_each_look_and_the_taken_one_marked() -> None:
    by = {"blot": 0.5, "large": 0.75}
    rows = (
        LookRow(look="whole", auroc=0.6, ci95=(0.5, 0.7), by=by),
        LookRow(
            look="learned",
            auroc=0.8,
            ci95=(0.7, 0.9),
            difference=0.2,
            difference_ci95=(0.1, 0.3),
            by=by,
        ),
    )
    trial = LookTrial(taken="learned", why="learned: proven", rows=rows)
    console = Console(width=160, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(look_trial_table("juice", trial))
    text = capture.get()
    assert "juice: looks tried on drawn damage" in text
    assert "learned *" in text
    assert "whole *" not in text
    assert "+0.200" in text
    assert "+0.100 to +0.300" in text
    assert "learned: proven" in text


def test_no_rows_no_columns_of_kinds() -> None:
    trial = LookTrial(taken="whole", why="whole: too few")
    assert look_trial_table("can", trial).row_count == 0

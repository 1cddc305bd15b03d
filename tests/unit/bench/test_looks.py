"""The bench of looks: its rows, and how often drawn damage orders them rightly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.looks import holds, in_order, markdown, put, stored, write


def row(look: str, drawn: float, real: float, **changes: Any) -> dict[str, Any]:
    return {
        "set": "can",
        "preset": "patch",
        "look": look,
        "drawn": drawn,
        "drawn_ci95": [0.5, 0.9],
        "real": real,
        "real_ci95": [0.5, 0.9],
        "taken": "whole",
        "trial_s": 10.0,
        "build_s": None,
        "is_drawn_test": False,
        "made_from": {"files_sha256": "a"},
    } | changes


def test_pairs_are_of_one_set_and_preset() -> None:
    rows = [
        row("whole", 0.6, 0.7),
        row("learned", 0.7, 0.8),
        row("box", 0.8, 0.75),
        row("whole", 0.1, 0.9, set="jar"),
        row("learned", 0.2, 0.1, set="jar"),
    ]
    # can: learned over whole and box over whole rightly, box over learned wrongly; jar: wrongly.
    assert in_order(rows) == (2, 4)


def test_a_tie_is_half_a_pair() -> None:
    assert in_order([row("whole", 0.6, 0.7), row("learned", 0.6, 0.8)]) == (0.5, 1)


def test_rows_of_a_set_are_replaced_and_kept_on_disk(tmp_path: Path) -> None:
    write(tmp_path, put([], [row("whole", 0.6, 0.7), row("learned", 0.7, 0.8)]))
    kept = stored(tmp_path)
    assert holds(kept, "can", {"files_sha256": "a"})
    assert not holds(kept, "can", {"files_sha256": "b"})
    assert not holds(kept, "jar", {"files_sha256": "a"})
    again = put(kept, [row("whole", 0.65, 0.7)])
    assert [(one["look"], one["drawn"]) for one in again] == [("whole", 0.65)]


def test_the_page_says_what_agreement_is_worth() -> None:
    rows = [
        row("whole", 0.6, 0.7, is_drawn_test=True),
        row("learned", 0.7, 0.8, is_drawn_test=True),
        row("whole", 0.5, 0.95, set="jar"),
        row("learned", 0.4, 0.9, set="jar"),
    ]
    page = "\n".join(markdown(rows))
    assert "-0.60 (n = 4 rows)" in page
    assert "2 of 2 pairs" in page
    assert "flatters" in page
    assert page.count("- cartons:") == 0  # too few rows for a rank correlation

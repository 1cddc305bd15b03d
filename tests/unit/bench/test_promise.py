from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.accuracy import false_alarms
from bench.promise import markdown


def row(by: str, good: float, on_visits: float) -> dict[str, Any]:
    """Of 200 calibration scores from 0 to 1, and 100 good photos, a share of which is above."""
    calibration = np.linspace(0, 1, 200, dtype=np.float32)
    scores = np.where(np.arange(100) < 100 * good, 0.97, 0.0)
    return {
        "set": "can",
        "look": "whole",
        "unit": by,
        "by": by,
        "visit_by": "visit",
        "groups": 7,
        "grouping": "7 groups of 30 photos by visit",
        "false_alarms": [false_alarms(calibration, scores, alpha) for alpha in (0.05, 0.01)],
        "above": [{"photos": 9, "groups": 2}, {"photos": 1, "groups": 1}],
        "rate_on_left_out": {"visit": [on_visits, 0.0], "none": [0.004, 0.0], "sku": [0.21, 0.0]},
    }


@pytest.mark.parametrize(
    ("by", "good", "on_visits", "why"),
    [
        ("sku", 0.0, 0.0, "rarer than promised. The threshold is that of SKUs never seen"),
        ("none", 0.5, 0.55, "of photos left out by visit, 55.0% exceed the threshold"),
        ("none", 0.2, 0.05, "20 of 100 photos (chance"),
        ("visit", 0.0, 0.05, "9 training photos lie above it, of 2 of 7 groups"),
    ],
)
def test_each_row_outside_is_explained(by: str, good: float, on_visits: float, why: str) -> None:
    page = markdown([row(by, good, on_visits)])
    assert "outside" in page
    assert why in " ".join(page[page.index("## Outside") :].split())


def test_a_promise_that_is_kept_needs_no_word() -> None:
    page = markdown([row("visit", 0.05, 0.05)])
    assert "5.0% (1.6% to 11.3%), inside" in page
    assert "## Outside" not in page
    assert "| 7 × visit |" in page

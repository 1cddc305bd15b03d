from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from app.records.errors import InvalidReview
from app.records.ids import uuid7
from app.records.verdicts import DrawnBox, Review

from .made import draft


def review(**changes: Any) -> Review:
    values: dict[str, Any] = {"verdict_id": uuid7(), "who": "anna", "decision": "good"}
    return Review(**values | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decision": "fine"}, "must be one of good, defective, unsure"),
        ({"who": " "}, "needs its reviewer's name"),
        ({"who": "a" * 201}, "reviewer's name must have 200 characters at most, it has 201"),
        ({"defect": "d" * 201}, "defect type must have 200"),
        ({"note": "n" * 10_001}, "note must have 10,000"),
        ({"note": "a\0b"}, "the note holds a character that cannot be stored"),
        ({"defect": "\ud800"}, "the defect type holds a character that cannot be stored"),
        ({"boxes": [DrawnBox(0, 0, 1, 1)] * 201}, "200 boxes at most"),
        ({"at": datetime(2026, 1, 1)}, "must have its zone"),
    ],
)
def test_a_review_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidReview, match=said):
        review(**changes)


@pytest.mark.parametrize(
    "sides",
    [
        (5, 0, 5, 1), (5, 0, 4, 1), (0, 3, 1, 2), (-1, 0, 1, 1),
        (0, 0, float("inf"), 1), (float("nan"), 0, 1, 1),
    ],
)  # fmt: skip
def test_a_box_that_cannot_be_is_refused(sides: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidReview, match="box"):
        DrawnBox(*sides)


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        draft(time=datetime(2026, 1, 1))

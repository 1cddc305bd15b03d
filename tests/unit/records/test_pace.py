"""How many thumbnails are drawn of photos that nobody need look at."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.records.batch import entries
from app.records.keeping import PhotoPolicy
from app.records.pace import Pace
from tests.unit.records.made import draft


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    per_s=st.floats(0.1, 50),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_never_more_than_the_burst_and_the_pace(per_s: float, pauses: list[float]) -> None:
    clock = Clock()
    pace, drawn = Pace(per_s, clock), 0
    for pause in pauses:
        clock.now += pause
        drawn += pace.allows()
        assert drawn <= 8 + per_s * clock.now + 1e-6
    assert pace.refused == len(pauses) - drawn


def test_a_pause_gives_the_pace_back() -> None:
    clock = Clock()
    pace = Pace(2.0, clock)
    assert [pace.allows() for _ in range(9)] == [True] * 8 + [False]
    clock.now += 1
    assert [pace.allows() for _ in range(3)] == [True, True, False]


def test_without_a_pace_all_are_drawn() -> None:
    pace = Pace(math.inf)
    assert all(pace.allows() for _ in range(1000))
    assert pace.refused == 0


def test_what_asks_for_a_review_is_drawn_whatever_the_pace() -> None:
    clock, drawn = Clock(), []

    def draw(data: bytes) -> bytes:
        drawn.append(data)
        return b"webp"

    none = Pace(1.0, clock)
    while none.allows():
        pass
    calm: dict[str, Any] = {"verdict": "normal", "score": 1.0, "threshold": 9.0, "p_value": 0.9}
    photo = b"normal here, anomalous there"
    drafts = [
        *(draft(photo=b"calm %d" % n, alpha=0.01, **calm) for n in range(20)),
        draft(photo=photo, alpha=0.01, **calm),
        draft(photo=photo, verdict="anomalous", score=10.0, threshold=9.0),
    ]
    found = entries(drafts, PhotoPolicy(sample=0.0), draw, none)
    assert drawn == [photo]
    assert [one.webp for one in found] == [None] * 20 + [b"webp"] * 2

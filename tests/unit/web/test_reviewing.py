"""How a verdict's score is told to a reviewer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.records.verdicts import Verdict
from app.web.reviewing import Card, lease_name


def card(score: float | None, threshold: float | None) -> Card:
    verdict = Verdict(
        category="can", verdict="normal", bank_version="v", engine="e", score=score,
        threshold=threshold, sha256="0" * 64, photo_bytes=1,
    )  # fmt: skip
    return Card(verdict, None, has_map=False)


@pytest.mark.parametrize(
    ("score", "threshold", "words"),
    [
        (13.0, 10.0, "Its score of 13 is 1.30 times the threshold (10)."),
        (9.5, 10.0, "Its score of 9.5 is 95\N{NO-BREAK SPACE}% of the threshold (10)."),
        (10.01, 10.0, "Its score of 10.01 is just above the threshold (10)."),
        (10.0, 10.0, "Its score of 10 is exactly the threshold, which is not above it (10)."),
        (500.0, 10.0, "Its score of 500 is 50 times the threshold (10)."),
        (1.0, 0.0, "Its score of 1 is above the threshold (0)."),
        (None, None, "The photo could not be judged."),
    ],
)
def test_a_score_in_words(score: float | None, threshold: float | None, words: str) -> None:
    assert card(score, threshold).words == words


@given(*[st.text(min_size=1)] * 2, *[st.from_regex(r"\A[0-9a-f]{16}\Z")] * 2)
def test_no_two_sittings_share_a_name(one: str, other: str, first: str, second: str) -> None:
    same = lease_name(one, first) == lease_name(other, second)
    assert same == ((one, first) == (other, second))

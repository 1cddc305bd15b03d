from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.score_words import against_threshold, among_good


@pytest.mark.parametrize(
    ("score", "threshold", "words"),
    [
        (12.6, 6.0, "2.1 times the threshold"),
        (7.2, 6.0, "1.20 times the threshold"),
        (6.02, 6.0, "just above the threshold"),
        (6.0, 6.0, "exactly the threshold, which is not above it"),
        (5.99, 6.0, "just below the threshold"),
        (4.08, 6.0, "68\N{NO-BREAK SPACE}% of the threshold"),
        (0.0, 6.0, "0\N{NO-BREAK SPACE}% of the threshold"),
        (9000.0, 6.0, "1,500 times the threshold"),
        (1.0, 0.0, "above the threshold"),
        (0.0, 0.0, "not above the threshold"),
    ],
)
def test_a_score_against_its_threshold(score: float, threshold: float, words: str) -> None:
    assert against_threshold(score, threshold) == words


@given(st.floats(0, 1e6), st.floats(1e-3, 1e6))
def test_words_never_contradict_the_verdict(score: float, threshold: float) -> None:
    """Strictly above it is anomalous: no rounding may say otherwise."""
    words = against_threshold(score, threshold)
    says_above = words.endswith("times the threshold") or words.startswith("just above")
    assert says_above == (score > threshold)
    assert not words.startswith(("1.00 ", "100\N{NO-BREAK SPACE}%", "0.9"))


@given(st.integers(1, 2000), st.data())
def test_a_p_value_is_told_as_the_photos_that_were_counted(n: int, data: st.DataObject) -> None:
    as_high = data.draw(st.integers(0, n))
    said = among_good((1 + as_high) / (n + 1), n)
    counted = {0: "None", n: "All"}.get(as_high, f"{as_high:,}")
    assert said.startswith(f"{counted} of the {n:,} good photos")


def test_where_the_number_of_good_photos_is_not_known_no_more_is_said_than_holds() -> None:
    said = among_good(1 / 209, None)
    assert said == "Of good photos at most about 0.48\N{NO-BREAK SPACE}% score as high."


def test_none_is_no_promise_that_none_will() -> None:
    said = among_good(1 / 209, 208)
    assert said == (
        "None of the 208 good photos that were kept for comparison scored as high: of good photos "
        "at most about 0.48\N{NO-BREAK SPACE}% do (p-value 0.0048)."
    )

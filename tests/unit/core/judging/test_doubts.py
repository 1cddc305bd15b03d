from __future__ import annotations

import numpy as np
import pytest

from app.core.judging.calibration import Alpha, Calibration, Fixed, Rule
from app.core.judging.doubts import doubts

SCORES = np.random.default_rng(0).normal(10, 1, 100)


def said(scores: object, rule: Rule) -> list[str]:
    return list(doubts(Calibration.from_rule(np.asarray(scores, dtype=np.float32), rule)))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_an_ordinary_bank_raises_none(alpha: float) -> None:
    assert said(SCORES, Alpha(alpha=alpha)) == []


@pytest.mark.parametrize("score", [0.0, 7.5])
def test_equal_scores_are_not_usable(score: float) -> None:
    (text,) = said([score] * 20, Alpha(alpha=0.1))
    assert text.startswith("all 20 good photos score the same when held out")
    assert "not usable" in text


def test_a_threshold_of_zero_is_named() -> None:
    (text,) = said([0.0] * 59 + [3.0], Alpha(alpha=0.1))
    assert text.startswith("the threshold is 0: whatever differs by a hair")


def test_scores_of_copies_are_counted() -> None:
    (text,) = said([*SCORES[:60], *[0.0] * 40], Alpha(alpha=0.05))
    assert text.startswith("40 of 100 good photos score about 0")


def test_few_odd_photos_that_set_the_threshold_are_counted() -> None:
    (text,) = said([*SCORES[:98], 60, 61], Alpha(alpha=0.02))
    assert "2 of 100 good photos score far above the others and set it there" in text
    assert said([*SCORES[:98], 60, 61], Alpha(alpha=0.1)) == []


def test_a_threshold_that_nothing_comes_near_is_named() -> None:
    (text,) = said(SCORES, Fixed(threshold=100.0))
    assert "no good photo comes near it" in text

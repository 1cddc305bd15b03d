from __future__ import annotations

import numpy as np
import pytest

from app.core.evaluating.remarks import remarks


def said(good: object, defective: object, threshold: float, alpha: float = 0.05) -> list[str]:
    scores = [np.asarray(those, dtype=np.float64) for those in (good, defective)]
    return list(remarks(scores[0], scores[1], threshold, alpha))


GOOD = np.linspace(1, 2, 60)
BAD = np.linspace(3, 4, 80)


def test_a_bank_that_works_has_none() -> None:
    assert said(GOOD, BAD, 2.5) == []
    assert said(GOOD, BAD, 1.97) == []  # 2 of 60 at 5 %


def test_a_threshold_above_every_score_is_said_first_and_plainly() -> None:
    (text,) = said(GOOD, BAD, 9.0)
    assert text.startswith("catches 0 of 80 defective photos: not usable. Likely cause: ")
    assert "the threshold 9 lies above every score of the split (the highest is 4)" in text
    assert "Try: " in text


def test_scores_that_tell_nothing_ask_for_another_preset() -> None:
    (text,) = said(GOOD, GOOD[::2], 2.0)
    assert text.startswith("catches 0 of 30")
    assert "do not tell defective from good (AUROC 0.4" in text
    assert "another preset" in text


def test_a_recall_no_larger_than_the_false_alarms_is_not_usable() -> None:
    text = said(GOOD, [1.1] * 38 + [3.0] * 2, 1.9)[0]
    assert text.startswith("catches 2 of 40 defective photos, no larger share than")


def test_a_broken_promise_is_said_with_its_interval() -> None:
    (text,) = said([*GOOD[:50], *[2.6] * 10], BAD, 2.5)
    assert text.startswith("calls 10 of 60 good photos anomalous (16.7%, 95 % interval 8.3% to")
    assert "where 5.00% are promised" in text


@pytest.mark.parametrize(("alarms", "told"), [(3, False), (7, False), (8, True)])
def test_a_rate_that_chance_explains_is_no_broken_promise(alarms: int, told: bool) -> None:
    good = [*GOOD[: 60 - alarms], *[2.6] * alarms]
    assert bool(said(good, BAD, 2.5)) is told


def test_all_called_anomalous_is_both() -> None:
    first, second = said(GOOD, BAD, 0.0)
    assert first.startswith("catches 80 of 80 defective photos, no larger share than")
    assert "below every score" in first
    assert second.startswith("calls 60 of 60 good photos anomalous")


def test_exchanged_labels_are_recognised() -> None:
    assert any("are exchanged" in text for text in said(BAD, GOOD, 2.5, alpha=0.99))


def test_chance_is_said_where_there_are_photos_enough() -> None:
    scores = np.linspace(0, 1, 40)
    assert "better than chance" in " ".join(said(scores, scores + 0.03, 0.92, alpha=0.01))
    assert not said(scores[:3], [0.9, 0.95], 0.5, alpha=0.5)

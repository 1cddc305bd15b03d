from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.evaluating.outcome import aligned, difference, disagreements, ranks
from tests.unit.core.evaluating.outcomes import outcome, split

SPLIT = split(2, 2)
FIRST = outcome("a", SPLIT, {False: (0.1, 0.2), True: (0.8, 0.9)})
SECOND = outcome("b", SPLIT, {False: (20, 90), True: (80, 10)})


def test_scores_are_aligned_by_photo_whatever_their_order() -> None:
    turned = replace(SECOND, scored=SECOND.scored[::-1])
    images, scores = aligned([FIRST, turned])
    assert images == list(SPLIT.test)
    assert scores["a"].tolist() == [0.8, 0.9, 0.1, 0.2]
    assert scores["b"].tolist() == [80, 10, 20, 90]


def test_a_photo_that_one_could_not_read_is_left_out_for_all() -> None:
    images, scores = aligned([FIRST, replace(SECOND, scored=SECOND.scored[1:])])
    assert images == list(SPLIT.test[1:])
    assert scores["a"].tolist() == [0.9, 0.1, 0.2]


def test_nothing_to_align_is_nothing() -> None:
    assert aligned([]) == ([], {})


def test_a_difference_is_that_of_the_aurocs() -> None:
    assert difference(FIRST, SECOND).value == pytest.approx(FIRST.auroc - SECOND.auroc)


@given(scores=st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_ranks_run_from_0_to_1_and_keep_the_order(scores: list[int]) -> None:
    found = ranks(np.array(scores, dtype=np.float64))
    assert 0 <= found.min() <= found.max() <= 1
    for a, b in zip(range(len(scores)), range(1, len(scores)), strict=False):
        assert np.sign(found[a] - found[b]) == np.sign(scores[a] - scores[b])


def test_the_photo_that_two_methods_rank_furthest_apart_comes_first() -> None:
    images, scores = aligned([FIRST, SECOND])
    chosen = disagreements(scores, 2)
    # dent/001: highest for a, lowest for b (apart by 1); then good/001 (1/3 and 1).
    assert [str(images[i].path) for i in chosen] == ["dent/001.png", "good/001.png"]


def test_units_do_not_decide_who_disagrees() -> None:
    _, scores = aligned([FIRST, SECOND])
    changed = {"a": scores["a"] ** 3 * 1e6, "b": np.log(scores["b"])}
    assert disagreements(changed, 4) == disagreements(scores, 4)


def test_methods_that_agree_dispute_nothing() -> None:
    _, scores = aligned([FIRST])
    assert disagreements({"a": scores["a"], "b": scores["a"] * 7}, 4) == []
    assert disagreements(scores, 4) == []

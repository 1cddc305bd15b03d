from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.core.evaluating.finding import find, listed
from app.core.evaluating.outcome import Outcome
from tests.unit.core.evaluating.outcomes import outcome, split

SPLIT = split(60, 60)


def method(preset: str, shift: float, seed: int = 0) -> Outcome:
    """Scores whose labels lie `shift` deviations apart; of one seed, the photos are alike."""
    generator = np.random.default_rng(seed)
    good, bad = generator.normal(size=60), generator.normal(shift, size=60)
    return outcome(preset, SPLIT, {False: good.tolist(), True: bad.tolist()})


def sentence(outcomes: Sequence[Outcome]) -> str:
    return find(SPLIT, outcomes).sentence


def test_a_proven_lead_is_called_proven() -> None:
    found = find(SPLIT, [method("weak", 0.5), method("strong", 3)])
    assert (found.best, found.is_proven) == ("strong", True)
    assert found.sentence.startswith("strong is best on can, AUROC 0.9")
    assert "over weak is proven (95 % interval 0." in found.sentence
    assert found.sentence.endswith("without 0).")


def test_a_lead_that_may_be_chance_is_called_unproven() -> None:
    found = find(SPLIT, [method("a", 1.0), method("b", 1.05, seed=1)])
    assert found.best in ("a", "b")
    assert not found.is_proven
    assert "has the highest AUROC on can" in found.sentence
    assert "is not proven (95 % interval −0." in found.sentence
    assert "includes 0" in found.sentence


def test_the_sentence_agrees_with_the_flag_and_names_every_doubtful_rival() -> None:
    outcomes = [method("a", 1.5), method("b", 1.55, 1), method("c", 1.52, 2), method("d", 0.0, 3)]
    found = find(SPLIT, outcomes)
    assert not found.is_proven
    rivals = {"a", "b", "c"} - {found.best}
    assert all(name in found.sentence for name in rivals)
    assert " d " not in found.sentence


def test_leads_over_all_others_are_said_to_be_proven() -> None:
    text = sentence([method("a", 0.2), method("b", 4), method("c", 0.6)])
    assert "over c is proven" in text
    assert "over all others are proven too" in text


def test_of_equal_methods_none_is_called_better() -> None:
    found = find(SPLIT, [method("a", 1), method("b", 1)])
    assert (found.best, found.is_proven) == ("a", False)
    assert found.sentence.startswith("a and b have the same AUROC on can, 0.")


def test_one_that_is_left_alone_is_not_called_best() -> None:
    found = find(SPLIT, [method("a", 1), Outcome("b", fault="no weights")])
    assert found.sentence.startswith("Only a could be evaluated on can: AUROC 0.")
    assert not found.is_proven


def test_when_all_fail_the_table_says_why() -> None:
    found = find(SPLIT, [Outcome("a", fault="no weights")])
    assert (found.best, found.sentence[:9]) == (None, "No preset")


@pytest.mark.parametrize("n_good", [0, 5])
def test_without_labelled_defects_nothing_is_called_best(n_good: int) -> None:
    good_only = split(n_good, 0)
    found = find(good_only, [outcome("a", good_only, {False: [0.1] * n_good})])
    assert found.best is None
    assert "accuracy needs labelled photos" in found.sentence


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_people_do(names: list[str], text: str) -> None:
    assert listed(names) == text

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from app.core.evaluating.comparison import Comparison, compare, overall
from app.core.evaluating.outcome import Outcome
from tests.unit.core.evaluating.outcomes import outcome, split

SPLIT = split(4, 2)
RIGHT = {False: (0.1, 0.2, 0.3, 0.6), True: (0.8, 0.9)}
WRONG = {False: (0.1, 0.2, 0.3, 0.7), True: (0.05, 0.15)}


def compared(*outcomes: Outcome, category: str = "can") -> Comparison:
    return compare(split(4, 2, category), outcomes)


def test_differences_are_to_the_first_preset() -> None:
    found = compared(outcome("a", SPLIT, WRONG), outcome("b", SPLIT, RIGHT))
    first, second = found.rows
    assert found.reference == "a"
    assert first.difference is None
    assert first.evaluation
    assert second.evaluation
    assert second.difference
    gained = second.evaluation.auroc - first.evaluation.auroc
    assert second.difference.value == pytest.approx(gained)


def test_a_first_preset_that_failed_is_no_reference() -> None:
    found = compared(Outcome("a", fault="no weights"), outcome("b", SPLIT, RIGHT))
    assert found.reference == "b"
    assert [row.fault for row in found.rows] == ["no weights", None]
    assert [row.difference for row in found.rows] == [None, None]


def test_false_alarms_are_counted_on_good_photos_above_the_threshold() -> None:
    (row,) = compared(outcome("a", SPLIT, RIGHT)).rows
    expected = binomtest(1, 4).proportion_ci(0.95)
    assert row.false_alarms
    assert (row.false_alarms.raised, row.false_alarms.rate) == (1, 0.25)
    assert row.false_alarms.ci95 == pytest.approx((expected.low, expected.high))
    assert row.evaluation
    assert row.evaluation.at_threshold.false_alarm_rate == row.false_alarms.rate


def test_good_photos_alone_still_give_false_alarms() -> None:
    good_only = split(4, 0)
    (row,) = compare(good_only, [outcome("a", good_only, {False: RIGHT[False]})]).rows
    assert row.evaluation is None
    assert row.false_alarms
    assert row.false_alarms.raised == 1
    assert row.bank
    assert row.bank.threshold == 0.5


def test_counts_are_of_the_split() -> None:
    found = compared(outcome("a", SPLIT, RIGHT))
    assert (found.n_train, found.n_good, found.n_defective) == (1, 4, 2)


def test_a_comparison_survives_json() -> None:
    found = compared(outcome("a", SPLIT, WRONG), outcome("b", SPLIT, RIGHT))
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_one_category_is_summed_up_by_its_own_sentence() -> None:
    found = compared(outcome("a", SPLIT, WRONG), outcome("b", SPLIT, RIGHT))
    assert overall([found]) == found.finding.sentence


def test_several_categories_are_summed_up_by_the_mean() -> None:
    many = split(40, 40)
    strong = outcome("b", many, {False: [0.1 + i / 99 for i in range(40)], True: [0.8] * 40})
    weak = outcome("a", many, {False: [0.5] * 40, True: [i / 40 for i in range(40)]})
    proven = compare(split(40, 40, "box"), [weak, strong])
    equal = compare(split(40, 40, "can"), [weak, Outcome("b", None, None, weak.scored,
                                                         weak.evaluation)])  # fmt: skip
    text = overall([proven, equal])
    assert text.startswith("b has the highest mean AUROC over 2 categories, 0.")
    assert text.endswith("it is proven best in 1 of them (box).")


def test_a_preset_that_failed_in_one_category_has_no_mean() -> None:
    one = compared(outcome("a", SPLIT, WRONG), outcome("b", SPLIT, RIGHT))
    two = compared(outcome("a", SPLIT, WRONG), Outcome("b", fault="no weights"), category="box")
    assert overall([one, two]).startswith("a has the highest mean AUROC")


def test_where_nothing_can_be_said_that_is_said() -> None:
    good_only = split(4, 0)
    found = compare(good_only, [outcome("a", good_only, {False: RIGHT[False]})])
    assert "cannot be said" in overall([found, found])

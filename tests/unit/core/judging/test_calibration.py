from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.errors import CalibrationError, InvalidRule
from app.core.judging.calibration import (
    Alpha,
    Calibration,
    Fixed,
    MeanStd,
    Quantile,
    assign_folds,
)

score = st.floats(0, 100, width=32)
several = st.lists(score, min_size=2, max_size=40)


def float32(values: list[float]) -> Any:
    return np.array(values, dtype=np.float32)


@given(scores=several, value=score)
def test_p_value_counts_calibration_scores_at_least_as_high(
    scores: list[float], value: float
) -> None:
    calibration = Calibration(float32(scores), 1.0, 0.01)
    at_least = sum(s >= value for s in scores)
    assert calibration.p_value(value) == (1 + at_least) / (len(scores) + 1)


@given(scores=st.lists(score, min_size=3, max_size=30, unique=True))
def test_p_values_of_exchangeable_scores_are_uniform(scores: list[float]) -> None:
    """Each of n + 1 scores against the n others: every rank comes up once."""
    found = [
        Calibration(float32(scores[:i] + scores[i + 1 :]), 1.0, 0.01).p_value(held_out)
        for i, held_out in enumerate(scores)
    ]
    n = len(scores)
    assert sorted(found) == pytest.approx([rank / n for rank in range(1, n + 1)])


@given(scores=several, a=score, b=score)
def test_a_higher_score_never_has_a_higher_p_value(scores: list[float], a: float, b: float) -> None:
    calibration = Calibration(float32(scores), 1.0, 0.01)
    low, high = sorted((a, b))
    assert calibration.p_value(high) <= calibration.p_value(low)


@given(threshold=score)
def test_a_score_equal_to_the_threshold_is_normal(threshold: float) -> None:
    calibration = Calibration(float32([1, 2]), threshold, 0.01)
    assert not calibration.is_anomalous(threshold)
    assert calibration.is_anomalous(float(np.nextafter(threshold, np.inf)))


@given(scores=several, k=st.floats(0, 5))
def test_mean_std_uses_the_sample_deviation(scores: list[float], k: float) -> None:
    threshold = Calibration.from_rule(float32(scores), MeanStd(k=k)).threshold
    expected = statistics.fmean(scores) + k * statistics.stdev(scores)
    assert threshold == pytest.approx(expected, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(("k", "alpha"), [(0.0, 0.5), (1.6449, 0.05), (3.0, 0.00135)])
def test_mean_std_promises_the_normal_tail(k: float, alpha: float) -> None:
    calibration = Calibration.from_rule(float32([1, 2, 3]), MeanStd(k=k))
    assert calibration.alpha == pytest.approx(alpha, rel=1e-2)


@pytest.mark.parametrize(("q", "expected"), [(0.5, 3.0), (0.75, 4.0), (0.9, 4.6)])
def test_quantile_is_interpolated_linearly(q: float, expected: float) -> None:
    calibration = Calibration.from_rule(float32([5, 1, 4, 2, 3]), Quantile(q=q))
    assert calibration.threshold == pytest.approx(expected)
    assert calibration.alpha == pytest.approx(1 - q)


@given(scores=several, q=st.floats(0.01, 0.99))
def test_quantile_lies_within_the_scores(scores: list[float], q: float) -> None:
    threshold = Calibration.from_rule(float32(scores), Quantile(q=q)).threshold
    assert min(scores) - 1e-6 <= threshold <= max(scores) + 1e-6


@pytest.mark.parametrize("rule", [MeanStd(), Quantile()])
@pytest.mark.parametrize("scores", [[], [1.0]])
def test_a_threshold_needs_two_scores(rule: MeanStd | Quantile, scores: list[float]) -> None:
    with pytest.raises(CalibrationError, match="2 or more"):
        Calibration.from_rule(float32(scores), rule)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_give_no_threshold(value: float) -> None:
    with pytest.raises(CalibrationError, match="NaN or infinite"):
        Calibration.from_rule(float32([1.0, 2.0, value]), Quantile())


@pytest.mark.parametrize("q", [0.0, 1.0, -0.5, float("nan")])
def test_a_quantile_lies_strictly_between_0_and_1(q: float) -> None:
    with pytest.raises(InvalidRule):
        Quantile(q=q)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 1, -0.5, 2.0, float("nan")])
def test_a_rate_that_none_can_promise_is_told_in_words(alpha: float) -> None:
    with pytest.raises(InvalidRule) as caught:
        Alpha(alpha=alpha)
    words = "a false-alarm rate lies between 0 and 1, e.g. 0.01 for 1 %"
    assert str(caught.value) == f"alpha: {words}"


@pytest.mark.parametrize("k", [-1.0, float("nan"), 21.0])
def test_a_number_of_deviations_is_not_negative(k: float) -> None:
    with pytest.raises(InvalidRule):
        MeanStd(k=k)


@given(scores=st.lists(score, min_size=5, max_size=60), alpha=st.floats(0.17, 0.9))
def test_alpha_gives_the_smallest_threshold_that_keeps_the_promise(
    scores: list[float], alpha: float
) -> None:
    calibration = Calibration.from_rule(float32(scores), Alpha(alpha=alpha))
    above = float(np.nextafter(np.float32(calibration.threshold), np.float32(np.inf)))
    assert calibration.p_value(above) <= alpha + 1e-9
    lower = [s for s in float32(scores) if s < calibration.threshold]
    if lower:
        just_above = float(np.nextafter(np.float32(max(lower)), np.float32(np.inf)))
        assert calibration.p_value(just_above) > alpha - 1e-9


@given(n=st.integers(8, 40), seed=st.integers(0, 99))
def test_alpha_holds_over_every_way_to_leave_one_out(n: int, seed: int) -> None:
    """Of n + 1 exchangeable scores, at most a share alpha exceed the others' threshold."""
    drawn = np.random.default_rng(seed).normal(size=n + 1).astype(np.float32)
    alarms = sum(
        Calibration.from_rule(np.delete(drawn, i), Alpha(alpha=0.2)).is_anomalous(float(drawn[i]))
        for i in range(n + 1)
    )
    assert alarms <= 0.2 * (n + 1)


@pytest.mark.parametrize(("n", "enough"), [(98, False), (99, True)])
def test_alpha_asks_for_as_many_scores_as_its_promise_needs(n: int, enough: bool) -> None:
    scores = np.arange(n, dtype=np.float32)
    if enough:
        assert Calibration.from_rule(scores, Alpha(alpha=0.01)).threshold == 98
    else:
        with pytest.raises(CalibrationError, match=r"98 calibration scores.*there are 99"):
            Calibration.from_rule(scores, Alpha(alpha=0.01))


@given(scores=several, threshold=st.floats(0, 100))
def test_a_threshold_by_hand_promises_what_its_p_value_says(
    scores: list[float], threshold: float
) -> None:
    calibration = Calibration.from_rule(float32(scores), Fixed(threshold=threshold))
    above = sum(s > threshold for s in float32(scores))
    assert calibration.threshold == threshold
    assert calibration.alpha == pytest.approx((1 + above) / (len(scores) + 1))


@given(
    groups=st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40),
    folds=st.integers(2, 8),
    seed=st.integers(0, 20),
)
def test_folds_keep_groups_together_and_leave_none_empty(
    groups: list[str], folds: int, seed: int
) -> None:
    assume(len(set(groups)) > 1)
    assigned = assign_folds(groups, folds, seed).tolist()
    assert len({(g, f) for g, f in zip(groups, assigned, strict=True)}) == len(set(groups))
    assert set(assigned) == set(range(min(folds, len(set(groups)))))


def test_folds_are_about_equal() -> None:
    sizes = np.bincount(assign_folds([str(i) for i in range(103)], 5, seed=0))
    assert sizes.max() - sizes.min() <= 1


def test_folds_of_one_group_are_refused() -> None:
    with pytest.raises(CalibrationError, match="2 groups"):
        assign_folds(["a", "a"], 5, seed=0)

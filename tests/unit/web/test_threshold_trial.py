from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.judging.calibration import Alpha, Calibration, Fixed
from app.records.scores import Scores
from app.web.threshold_trial import Known, Trial, effect, trial

SCORES = st.lists(st.floats(0, 1e4, width=32), min_size=2, max_size=30)


def some(values: list[float], days: int = 0) -> Scores:
    return Scores(np.array(values, dtype=np.float64), None, False, days)


def calibration(values: list[float], threshold: float) -> Calibration:
    return Calibration(np.array(values, dtype=np.float32), threshold, alpha=0.01)


def known(week: list[float], good: list[float], bad: list[float], days: int = 3) -> Known:
    return Known(some(week, days if week else 0), some(good), some(bad))


def tried(days: int = 3) -> Trial:
    recorded = known([1.0, 2.0, 2.0, 9.0], [1.0, 4.0], [3.0, 8.0, 8.5], days)
    return trial(calibration([1.0, 1.5, 2.0, 2.5], 2.25), recorded)


def test_the_serving_threshold_is_among_those_that_can_be_chosen() -> None:
    found = tried()
    assert found.grid[found.start] == 2.25
    assert found.promised[found.start] == 0.01  # what its own rule says
    above = {name: layer.above[found.start] for name, layer in found.layers.items()}
    assert above == {"training": 1, "week": 1, "good": 1, "bad": 3}


@pytest.mark.parametrize("days", [1, 3, 7])
def test_alarms_a_day_count_the_days_that_had_photos(days: int) -> None:
    assert tried(days).days == days


def test_without_records_only_the_training_is_shown() -> None:
    found = trial(calibration([1.0, 2.0], 1.5), None)
    assert set(found.layers) == {"training"}
    assert found.days == 1


@given(training=SCORES, week=SCORES, bad=SCORES, serving=st.floats(0, 1e4, width=32))
def test_every_count_is_what_that_threshold_does(
    training: list[float], week: list[float], bad: list[float], serving: float
) -> None:
    held_out = calibration(training, serving)
    found = trial(held_out, known(week, [], bad))
    assert found.grid == sorted(set(found.grid))
    assert serving in found.grid
    assert found.low <= min(found.grid[0], *training)
    assert found.high >= max(found.grid[-1], *training)
    for place in {0, found.start, len(found.grid) // 2, len(found.grid) - 1}:
        value = found.grid[place]
        assert found.layers["week"].above[place] == sum(score > value for score in week)
        assert found.layers["bad"].above[place] == sum(score > value for score in bad)
        if place != found.start:
            promised = Fixed(threshold=value).promise(held_out.scores)
            assert found.promised[place] == pytest.approx(promised, abs=1e-8)
        exact = effect(held_out, known(week, [], bad), value)
        assert exact.above == {name: layer.above[place] for name, layer in found.layers.items()}
        assert exact.promised == pytest.approx(found.promised[place], abs=1e-8)


@pytest.mark.parametrize(("value", "flagged"), [(0.0, 4), (1e9, 0), (2.1234, 1)])
def test_a_threshold_beyond_the_plot_or_between_its_steps_is_counted(
    value: float, flagged: int
) -> None:
    recorded = known([1.0, 2.0, 2.0, 9.0], [], [])
    found = effect(calibration([1.0, 1.5, 2.0, 2.5], 2.25), recorded, value)
    assert found.above["week"] == flagged
    assert found.value == value


def test_a_threshold_of_a_rule_is_shown_as_it_is() -> None:
    scores = np.linspace(0.1, 0.9, 200, dtype=np.float32) ** 2
    held_out = Calibration.from_rule(scores, Alpha(alpha=0.05))
    found = trial(held_out, None)
    assert found.grid[found.start] == held_out.threshold
    assert 400 < len(found.grid) < 2000
    assert found.ticks[0] == found.low
    assert found.ticks[-1] == found.high


def test_photos_far_out_do_not_squeeze_the_rest() -> None:
    recorded = known([1.0, 1e6], [], [])
    found = trial(calibration([1.0, 1.5, 2.0], 2.0), recorded)
    assert found.high < 20
    assert found.layers["week"].beyond == 1
    assert found.layers["week"].bars[-1] > 0

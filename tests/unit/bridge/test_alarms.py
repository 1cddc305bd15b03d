from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bridge.alarms import AlarmRule, AlarmState, Observation, observe
from app.records.events import Event

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
Verdict = Literal["normal", "anomalous", "unusable"]
# A verdict, and the seconds that the clock says have gone since the one before.
Photo = tuple[Verdict, float]

NAMES: list[Verdict] = ["normal", "anomalous", "unusable"]
FORWARD = st.floats(0, 300)
PHOTOS = st.lists(st.tuples(st.sampled_from(NAMES), FORWARD), max_size=80)
# The clock now and then steps by about an hour, either way.
STEPPING = st.lists(
    st.tuples(st.sampled_from(NAMES), FORWARD | st.sampled_from([-3600.0, 3600.0])), max_size=80
)


@st.composite
def rules(draw: st.DrawFn) -> AlarmRule:
    n = draw(st.integers(1, 6))
    return AlarmRule(
        k=draw(st.integers(1, n)),
        n=n,
        hold_s=draw(st.sampled_from([0.0, 60.0, 900.0])),
        clear=draw(st.none() | st.integers(1, 8)),
        within_s=draw(st.none() | st.floats(1, 2000)),
    )


def counter() -> Callable[[], UUID]:
    numbers = iter(range(1, 1_000_000))
    return lambda: UUID(int=next(numbers))


def times(photos: Sequence[Photo]) -> list[datetime]:
    now, found = START, []
    for _, gone in photos:
        now += timedelta(seconds=gone)
        found.append(now)
    return found


def run(photos: Sequence[Photo], rule: AlarmRule, restart_at: int | None = None) -> list[Event]:
    """The events; before photo number `restart_at` the state goes through JSON."""
    state, told, new_id = AlarmState(), [], counter()
    for number, ((verdict, _), now) in enumerate(zip(photos, times(photos), strict=True)):
        if number == restart_at:
            state = AlarmState.from_json(json.loads(json.dumps(state.to_json())))
        observation = Observation(verdict, {"number": number})
        state, events = observe(
            state, observation, rule, now, camera="shelf", category="can", new_id=new_id
        )
        told += events
        assert len(state.seen) <= rule.n
    return told


@given(photos=STEPPING, rule=rules())
def test_raised_and_cleared_take_turns_each_once(photos: list[Photo], rule: AlarmRule) -> None:
    events = run(photos, rule)
    kinds = [event.kind for event in events]
    assert kinds == ["alarm.raised", "alarm.cleared"] * (len(kinds) // 2) + (
        ["alarm.raised"] if len(kinds) % 2 else []
    )
    for raised, cleared in zip(events[::2], events[1::2], strict=False):
        assert cleared.body["raised_by"] == str(raised.id)


@given(photos=STEPPING, rule=rules())
def test_never_raised_with_fewer_than_k_of_the_last_n(photos: list[Photo], rule: AlarmRule) -> None:
    after = 0
    for event in run(photos, rule):
        number = event.body["number"]
        if event.kind == "alarm.cleared":
            after = number + 1
            continue
        judged = [verdict for verdict, _ in photos[after : number + 1] if verdict != "unusable"]
        assert judged[-rule.n :].count("anomalous") >= rule.k
        assert judged[-1] == "anomalous"
        assert rule.k <= event.body["anomalous"] <= event.body["of"] <= rule.n


@given(photos=PHOTOS, rule=rules())
def test_an_alarm_holds_and_ends_after_normal_photos_only(
    photos: list[Photo], rule: AlarmRule
) -> None:
    events = run(photos, rule)
    for raised, cleared in zip(events[::2], events[1::2], strict=False):
        assert cleared.time - raised.time >= timedelta(seconds=rule.hold_s)
        span = photos[raised.body["number"] + 1 : cleared.body["number"] + 1]
        judged = [verdict for verdict, _ in span if verdict != "unusable"]
        assert judged[-rule.normal_to_clear :] == ["normal"] * rule.normal_to_clear


@given(photos=PHOTOS, rule=rules())
def test_k_of_n_is_always_raised(photos: list[Photo], rule: AlarmRule) -> None:
    rule = replace(rule, within_s=None)
    events = run(photos, rule)
    judged = [verdict for verdict, _ in photos if verdict != "unusable"]
    windows = [judged[: end + 1][-rule.n :].count("anomalous") for end in range(len(judged))]
    assert bool(events) == any(number >= rule.k for number in windows)


@given(photos=STEPPING, rule=rules(), data=st.data())
def test_a_restart_changes_nothing(
    photos: list[Photo], rule: AlarmRule, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(photos)))
    assert run(photos, rule, at) == run(photos, rule)


@given(photos=STEPPING, rule=rules(), step=st.sampled_from([-3600.0, -86400.0]))
def test_a_clock_that_steps_back_delays_the_end_by_the_hold_time_at_most(
    photos: list[Photo], rule: AlarmRule, step: float
) -> None:
    """Whatever came before it, normal photos after it end the alarm."""
    calm: list[Photo] = [("normal", 60.0)] * (rule.normal_to_clear + int(rule.hold_s / 60) + 1)
    events = run([*photos, ("unusable", step), *calm], rule)
    assert len(events) % 2 == 0


def test_old_photos_count_no_more() -> None:
    rule = AlarmRule(k=2, n=3, within_s=100)
    assert run([("anomalous", 0), ("anomalous", 101)], rule) == []
    (event,) = run([("anomalous", 0), ("anomalous", 99)], rule)
    assert event.kind == "alarm.raised"


def test_an_event_tells_of_the_photo_that_made_it() -> None:
    facts = {"score": 3.5, "verdict_id": "x"}
    seen = Observation("anomalous", facts, overlay=b"picture")
    _, (event,) = observe(
        AlarmState(), seen, AlarmRule(k=1, n=1), START, camera="shelf", category="can"
    )
    assert (event.camera, event.category, event.time) == ("shelf", "can", START)
    assert event.overlay == b"picture"
    assert event.body == {**facts, "anomalous": 1, "of": 1, "k": 1, "n": 1}
    assert event.id.version == 7


def test_a_rule_made_stricter_finds_no_alarm_at_a_normal_photo() -> None:
    state = AlarmState()
    steps: list[tuple[Verdict, AlarmRule]] = [
        ("anomalous", AlarmRule(k=2, n=3)), ("normal", AlarmRule(k=1, n=3)),
    ]  # fmt: skip
    for verdict, rule in steps:
        state, events = observe(
            state, Observation(verdict), rule, START, camera="shelf", category="can"
        )
        assert events == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"k": 0}, "1 <= k <= n"), ({"k": 4, "n": 3}, "not 4 of 3"), ({"hold_s": -1.0}, "hold"),
        ({"hold_s": float("nan")}, "hold"), ({"clear": 0}, "one normal photo"),
        ({"within_s": 0.0}, "some seconds"), ({"n": 1001}, "1000"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AlarmRule(**values)  # type: ignore[arg-type]

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bridge.blindness import (
    CameraAlarm,
    CameraRule,
    SourceState,
    observe_photo,
    observe_source,
)
from app.records.events import Event

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
# A photo (whether it was usable) or a source's state, and the seconds since the step before.
Step = tuple[bool | SourceState, float]
STATES: list[SourceState] = ["waiting", "running", "stalled", "failed"]
GONE = st.floats(0, 200) | st.sampled_from([-3600.0, 3600.0])
STEPS = st.lists(st.tuples(st.booleans() | st.sampled_from(STATES), GONE), max_size=80)
RULES = st.builds(
    CameraRule,
    blind_after=st.integers(1, 5),
    sees_after=st.integers(1, 4),
    lost_after_s=st.sampled_from([0.0, 60.0, 600.0]),
)


def run(steps: Sequence[Step], rule: CameraRule, restart_at: int | None = None) -> list[Event]:
    state, now, told = CameraAlarm(), START, []
    for number, (step, gone) in enumerate(steps):
        now += timedelta(seconds=gone)
        if number == restart_at:
            state = CameraAlarm.from_json(json.loads(json.dumps(state.to_json())))
        if isinstance(step, bool):
            state, events = observe_photo(
                state, step, rule, now, camera="shelf", facts={"number": number},
                new_id=lambda: UUID(int=1),
            )  # fmt: skip
        else:
            state, events = observe_source(
                state, step, rule, now, camera="shelf", reason="no route",
                new_id=lambda: UUID(int=2),
            )  # fmt: skip
        told += events
    return told


@given(steps=STEPS, rule=RULES)
def test_each_is_told_once_and_takes_turns(steps: list[Step], rule: CameraRule) -> None:
    kinds = [event.kind for event in run(steps, rule)]
    for first, then in (("camera.lost", "camera.back"), ("camera.blind", "camera.sees")):
        mine = [kind for kind in kinds if kind in (first, then)]
        assert mine[::2] == [first] * len(mine[::2])
        assert mine[1::2] == [then] * len(mine[1::2])


@given(steps=STEPS, rule=RULES, data=st.data())
def test_a_restart_changes_nothing(
    steps: list[Step], rule: CameraRule, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(steps)))
    assert run(steps, rule, at) == run(steps, rule)


@given(steps=STEPS, rule=RULES)
def test_blind_means_photos_in_a_row_that_cannot_be_judged(
    steps: list[Step], rule: CameraRule
) -> None:
    for event in run(steps, rule):
        if event.kind not in ("camera.blind", "camera.sees"):
            continue
        usable = event.kind == "camera.sees"
        needed = rule.sees_after if usable else rule.blind_after
        photos = [s for s, _ in steps[: event.body["number"] + 1] if isinstance(s, bool)]
        assert photos[-needed:] == [usable] * needed


def test_a_short_trouble_is_not_told() -> None:
    rule = CameraRule(lost_after_s=60)
    steps: list[Step] = [("failed", 0), ("waiting", 59), ("running", 0), ("stalled", 0)]
    assert run([*steps, ("stalled", 59)], rule) == []
    (event,) = run([*steps, ("stalled", 60)], rule)
    assert event.kind == "camera.lost"
    assert event.body == {
        "state": "stalled", "reason": "no route",
        "since": (START + timedelta(seconds=59)).isoformat(),
    }  # fmt: skip


def test_a_camera_that_is_back_says_how_long_it_was_lost() -> None:
    lost, back = run([("failed", 0), ("running", 30)], CameraRule(lost_after_s=0))
    assert (lost.kind, back.kind, back.body) == ("camera.lost", "camera.back", {"lasted_s": 30.0})


def test_a_clock_that_steps_back_hides_no_lost_camera_for_long() -> None:
    rule = CameraRule(lost_after_s=60)
    steps: list[Step] = [("failed", 0), ("failed", -3600), ("failed", 60)]
    assert [event.kind for event in run(steps, rule)] == ["camera.lost"]


@pytest.mark.parametrize(
    "values", [{"blind_after": 0}, {"sees_after": 0}, {"lost_after_s": float("inf")}]
)
def test_a_rule_that_cannot_be_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a camera is"):
        CameraRule(**values)  # type: ignore[arg-type]

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.records.errors import RecordRefused, RecordsUnavailable
from app.records.events import Event
from app.records.opening import Records, open_records
from app.records.outbox import (
    AlarmRecord,
    Delivery,
    alarm_states,
    delivered,
    disable,
    dropped,
    due,
    failed,
    oldest,
    put,
    why_disabled,
)
from app.records.outbox_upkeep import OutboxLimits, counts, trim
from app.records.transactions import writing
from tests.support import ROOT

from .made import START

HOUR = timedelta(hours=1)


def event(number: int = 0, **changes: Any) -> Event:
    """One a minute after the one of the number before."""
    values: dict[str, Any] = {
        "kind": "alarm.raised",
        "camera": "shelf-1",
        "category": "can",
        "body": {"n": number},
        "time": START + timedelta(minutes=number),
    }
    return Event(**values | changes)


def to(*targets: str) -> Any:
    return lambda _event: targets


def drained(records: Records, target: str) -> list[int]:
    """What a target gets that takes all."""
    found = []
    while (one := due(records, target, START)) is not None:
        found.append(one.event.body["n"])
        delivered(records, one, START)
    return found


def next_of(records: Records, target: str) -> Delivery:
    found = oldest(records, target)
    assert found is not None
    return found


def test_an_event_comes_back_as_it_was_put(records: Records) -> None:
    one = event(7, overlay=b"\xff\xd8picture", category=None, body={"n": 7, "text": "Schäden"})
    put(records, [one], to("phone"))
    found = next_of(records, "phone")
    assert (found.event, found.attempts, found.due_at) == (one, 0, None)
    assert due(records, "elsewhere", START) is None


def test_each_target_gets_all_in_order(records: Records) -> None:
    put(records, [event(n) for n in range(5)], to("phone", "till"))
    put(records, [event(5)], to("till"))
    assert drained(records, "phone") == [0, 1, 2, 3, 4]
    assert drained(records, "till") == [0, 1, 2, 3, 4, 5]


def test_nothing_overtakes_the_one_that_failed(records: Records) -> None:
    put(records, [event(0), event(1)], to("phone"))
    first = next_of(records, "phone")
    failed(records, first, START + HOUR, "no route", START)
    assert due(records, "phone", START + timedelta(minutes=59)) is None
    again = due(records, "phone", START + HOUR)
    assert again is not None
    assert (again.number, again.attempts, again.reason) == (first.number, 1, "no route")
    delivered(records, again, START + HOUR)
    assert next_of(records, "phone").event.body["n"] == 1


def test_a_clock_that_was_set_back_prolongs_no_wait(records: Records) -> None:
    put(records, [event()], to("phone"))
    failed(records, next_of(records, "phone"), START + HOUR, "no route", START)
    assert next_of(records, "phone").wait_s(START) == 3600
    assert next_of(records, "phone").wait_s(START - HOUR) == 0


def test_the_states_are_stored_with_the_events_or_not_at_all(records: Records) -> None:
    states = [
        AlarmRecord("shelf-1", "can", {"raised": 1}),
        AlarmRecord("shelf-1", "", {"blind": 0}),
    ]
    put(records, [event()], to("phone"), states)
    put(records, [], to(), [AlarmRecord("shelf-1", "can", {"raised": 2})])
    expected = {("shelf-1", "can"): {"raised": 2}, ("shelf-1", ""): {"blind": 0}}
    assert alarm_states(records) == expected
    with pytest.raises((RecordRefused, ValueError)):
        put(records, [event(body={"score": float("nan")})], to("phone"),
            [AlarmRecord("shelf-1", "can", {"raised": 3})])  # fmt: skip
    assert alarm_states(records) == expected
    assert drained(records, "phone") == [0]


def test_an_event_that_is_put_twice_is_told_once(records: Records) -> None:
    one = event()
    for _ in range(2):
        put(records, [one], to("phone"))
    assert drained(records, "phone") == [0]


def test_a_new_target_gets_no_old_events(records: Records) -> None:
    put(records, [event(0)], to("phone"))
    put(records, [event(1)], to("phone", "new"))
    assert drained(records, "new") == [1]


def test_what_is_done_is_counted_once(records: Records) -> None:
    put(records, [event(n) for n in range(4)], to("phone"))
    one = next_of(records, "phone")
    failed(records, one, START, "no route", START)
    for _ in range(2):
        delivered(records, one, START)
    dropped(records, next_of(records, "phone"), "not taken", START)
    failed(records, next_of(records, "phone"), START + HOUR, "busy", START)
    found = counts(records, ["phone", "other"])
    phone = found["phone"]
    assert (phone.waiting, phone.delivered, phone.failed, phone.dropped) == (2, 1, 2, 1)
    assert (phone.oldest, phone.trouble) == (START + timedelta(minutes=2), "busy")
    assert (found["other"].waiting, found["other"].oldest) == (0, None)


def test_a_disabled_target_gets_nothing_until_its_address_changes(records: Records) -> None:
    put(records, [event(0), event(1)], to("hook", "phone"))
    assert why_disabled(records, "hook", "https://a") is None
    assert disable(records, "hook", "https://a", "410 Gone", START) == 2
    put(records, [event(2)], to("hook", "phone"))
    assert oldest(records, "hook") is None
    assert why_disabled(records, "hook", "https://a") == "410 Gone"
    assert counts(records, ["hook"])["hook"].disabled == "410 Gone"
    assert why_disabled(records, "hook", "https://b") is None
    put(records, [event(3)], to("hook", "phone"))
    assert drained(records, "hook") == [3]
    assert drained(records, "phone") == [0, 1, 2, 3]


def test_days_without_network_survive_the_upkeep(records: Records) -> None:
    put(records, [event(n) for n in range(100)], to("phone"))
    trimmed = trim(records, ["phone"], OutboxLimits(done_days=1), START + timedelta(days=6))
    assert (trimmed.dropped, trimmed.events) == ({}, 0)
    assert drained(records, "phone") == list(range(100))
    gone = trim(records, ["phone"], OutboxLimits(done_days=1), START + timedelta(days=6))
    assert gone.events == 100
    assert counts(records, ["phone"])["phone"].delivered == 100


def test_too_many_or_too_old_are_dropped_the_oldest_first(records: Records) -> None:
    put(records, [event(n) for n in range(10)], to("phone", "till"))
    put(records, [event(n) for n in range(10, 12)], to("till"))
    limits = OutboxLimits(waiting=4)
    trimmed = trim(records, ["phone", "till"], limits, START + HOUR)
    assert trimmed.dropped == {"phone": 6, "till": 8}
    assert counts(records, ["phone"])["phone"].dropped == 6
    assert drained(records, "phone") == [6, 7, 8, 9]
    trimmed = trim(records, ["phone", "till"], limits, START + timedelta(days=7, minutes=10.5))
    assert trimmed.dropped == {"till": 3}
    assert drained(records, "till") == [11]


def test_a_target_that_is_taken_out_leaves_nothing(records: Records) -> None:
    put(records, [event(0)], to("gone"))
    limits = OutboxLimits(done_days=2)
    assert trim(records, ["phone"], limits, START + HOUR).dropped == {}  # it may come back soon
    assert trim(records, ["phone"], limits, START + timedelta(days=1.5)).dropped == {"gone": 1}
    assert trim(records, ["phone"], limits, START + timedelta(days=2.5)).events == 1
    with records.engine.connect() as connection:
        for table in ("events", "deliveries", "targets"):
            assert connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0


def test_only_the_newest_events_keep_their_pictures(records: Records) -> None:
    put(records, [event(n, overlay=b"picture") for n in range(5)], to("phone"))
    trim(records, ["phone"], OutboxLimits(overlays=2), START)
    pictures = []
    while (one := oldest(records, "phone")) is not None:
        pictures.append(one.event.overlay)
        delivered(records, one, START)
    assert pictures == [None] * 3 + [b"picture"] * 2


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "deliver", "fail", "drop", "trim"]), st.integers(0, 2)),
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_each_target_sees_one_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    names = ["a", "b", "c"]
    expected: dict[str, list[int]] = {name: [] for name in names}
    numbers = itertools.count()
    with open_records(tmp_path_factory.mktemp("outbox")) as records:
        for step, which in steps:
            name = names[which]
            if step == "put":
                number = next(numbers)
                put(records, [event(number)], to(*names[which:]))
                for one in names[which:]:
                    expected[one].append(number)
            elif step == "trim":
                trim(records, names, OutboxLimits(), START)
            else:
                found = oldest(records, name)
                assert (found.event.body["n"] if found else None) == next(
                    iter(expected[name]), None
                )
                if found is None:
                    continue
                if step == "fail":
                    failed(records, found, START, "no", START)
                    continue
                (delivered(records, found, START) if step == "deliver"
                 else dropped(records, found, "never", START))  # fmt: skip
                expected[name].pop(0)
        for name in names:
            assert drained(records, name) == expected[name]


def test_a_database_that_is_held_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.records.opening.PATIENCE_S", 0.1)
    with (
        open_records(tmp_path) as records,
        writing(records.engine),
        pytest.raises(RecordsUnavailable, match="another program has held"),
    ):
        put(records, [event()], to("phone"))


KILLED = """
import json, os, sys, threading
from pathlib import Path
from app.records.events import Event
from app.records.opening import open_records
from app.records.outbox import AlarmRecord, delivered, due, put
from app.records.verdicts import now
folder, url, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
records = open_records(folder, url)

def deliver(target):
    file = os.open(folder / target, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        one = due(records, target, now())
        if one is not None:
            os.write(file, f"{one.event.body['n']}\\n".encode())  # as a receiver that never dies
            delivered(records, one, now())

for target in ("phone", "till"):
    threading.Thread(target=deliver, args=[target], daemon=True).start()
number = first
print("open", flush=True)
while True:
    event = Event(kind="alarm.raised", camera="shelf", body={"n": number})
    state = AlarmRecord("shelf", "can", {"n": number})
    put(records, [event], lambda event: ("phone", "till"), [state])
    print(number, flush=True)
    number += 1
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_no_event_and_no_order(url: str, tmp_path: Path) -> None:
    chance = random.Random(0)
    folder = tmp_path / "records"
    folder.mkdir(exist_ok=True)
    rounds = 100 if url.startswith("sqlite") else 20
    committed: list[int] = []
    for number in range(rounds):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, folder, url, str(number * 100_000)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        if number % 4 == 3:
            time.sleep(chance.uniform(0.2, 1.0))  # somewhere in its start, or after it
        else:
            assert "open\n" in iter(process.stdout.readline, "")  # behind what it logs
            time.sleep(chance.uniform(0, 0.4))
        process.kill()
        out, err = process.communicate(timeout=30)
        assert err == ""
        committed += [int(line) for line in out.splitlines() if line.isdigit()]
        with open_records(folder, url) as records:
            state = alarm_states(records).get(("shelf", "can"), {"n": -1})
            assert state["n"] >= max(committed, default=-1)
    assert len(committed) > rounds
    with open_records(folder, url) as records:
        for target in ("phone", "till"):
            taken = [int(line) for line in (folder / target).read_text().splitlines()]
            got = taken + drained(records, target)
            once = [one for one, _ in itertools.groupby(got)]
            assert once == sorted(set(once))  # in order; told again are neighbours only
            assert set(committed) <= set(once)
            assert len(got) - len(once) <= rounds
        assert state["n"] == max(once)  # no state without its event

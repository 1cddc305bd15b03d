from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.bridge.delivering import Delivering, pause_s
from app.bridge.sinks.sink import Gone, Refused, Retry
from app.bridge.sinks.webhook import Webhook
from app.records.events import Event
from app.records.opening import Records, open_records
from app.records.outbox import oldest, put
from app.records.outbox_upkeep import counts
from app.records.transactions import writing
from app.records.verdicts import now
from tests.support import ROOT

from .sinks.web import Answer, Sent, web

DAY_S = 24 * 3600


class Taker:
    """A sink that keeps what it takes; `faults` come first."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.taken: list[int] = []
        self.opened = 0

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.opened -= 1

    async def deliver(self, event: Event, overlay: bytes | None) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append(event.body["n"])


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with open_records(tmp_path / "records") as opened:
        yield opened


def store(records: Records, *numbers: int, targets: tuple[str, ...] = ("phone",)) -> None:
    events = [Event(kind="alarm.raised", camera="shelf", body={"n": n}) for n in numbers]
    put(records, events, lambda _event: targets)


@asynccontextmanager
async def running(delivering: Delivering) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(delivering.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def at_once(records: Records, sink: Any, **options: Any) -> Delivering:
    return Delivering(records, "phone", sink, **{"pause": lambda *_: 0.0, **options})


def test_events_arrive_in_order_and_new_ones_at_once(records: Records) -> None:
    store(records, *range(5))
    sink = Taker()

    async def main() -> None:
        delivering = at_once(records, sink)
        async with running(delivering):
            await until(lambda: len(sink.taken) == 5)
            assert sink.opened == 1
            store(records, 5)
            delivering.wake()
            await until(lambda: len(sink.taken) == 6, 5)

    asyncio.run(main())
    assert sink.taken == list(range(6))
    assert sink.opened == 0


def test_what_fails_comes_again_before_the_next(records: Records) -> None:
    store(records, 0, 1)
    sink = Taker(Retry("busy"), Retry("busy"), ValueError("a fault of ours"))

    async def main() -> None:
        async with running(at_once(records, sink)):
            await until(lambda: counts(records, ["phone"])["phone"].delivered == 2)

    with capture_logs() as logs:
        asyncio.run(main())
    assert sink.taken == [0, 1]
    assert counts(records, ["phone"])["phone"].failed == 3
    told = [log["reason"] for log in logs if "does not take" in log["event"]]
    assert told == ["busy", "a fault of the program: ValueError"]  # once each


def test_what_is_refused_is_dropped_and_the_next_one_told(records: Records) -> None:
    store(records, 0, 1)
    sink = Taker(Refused("no such event\0"))

    async def main() -> None:
        async with running(at_once(records, sink)):
            await until(lambda: counts(records, ["phone"])["phone"].delivered == 1)

    asyncio.run(main())
    assert sink.taken == [1]
    assert counts(records, ["phone"])["phone"].dropped == 1


def test_a_target_that_is_gone_stays_so_until_its_address_changes(records: Records) -> None:
    store(records, 0, 1)
    sink = Taker(Gone("410 Gone"))

    async def main() -> None:
        first = at_once(records, sink, address="https://a")
        await asyncio.wait_for(first.run(), 20)
        assert (first.state.disabled, sink.opened) == ("410 Gone", 0)
        store(records, 2)
        again = at_once(records, sink, address="https://a")
        await asyncio.wait_for(again.run(), 20)
        assert again.state.disabled == "410 Gone"
        moved = at_once(records, sink, address="https://b")
        async with running(moved):
            await until(lambda: sink.opened)
            store(records, 3)
            moved.wake()
            await until(lambda: sink.taken)

    asyncio.run(main())
    assert sink.taken == [3]


def test_a_pause_outlasts_a_restart(records: Records) -> None:
    store(records, 0)
    clock = [now()]
    sink = Taker(Retry("busy", after_s=3600))

    def started() -> Delivering:
        return Delivering(records, "phone", sink, clock=lambda: clock[0])

    async def main() -> None:
        async with running(started()):
            await until(lambda: counts(records, ["phone"])["phone"].failed == 1)
        delivering = started()
        async with running(delivering):
            await until(lambda: sink.opened)
            clock[0] += timedelta(minutes=59)
            looked = asyncio.create_task(until(lambda: sink.taken, 0.5))
            delivering.wake()
            with pytest.raises(TimeoutError):
                await looked
            clock[0] += timedelta(hours=2)
            delivering.wake()
            await until(lambda: sink.taken)

    asyncio.run(main())
    waiting = oldest(records, "phone")
    assert waiting is None or waiting.attempts == 1


def test_a_database_that_is_held_makes_no_second_delivery(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is taken is told once, though nobody can write that down for a while."""
    monkeypatch.setattr("app.bridge.delivering._DATABASE_PAUSE_S", 0.01)
    store(records, 0, 1)
    held = writing(records.engine)

    class Holding(Taker):
        async def deliver(self, event: Event, overlay: bytes | None) -> None:
            await super().deliver(event, overlay)
            if len(self.taken) == 1:
                await asyncio.to_thread(held.__enter__)

    sink = Holding()

    async def main() -> None:
        async with running(at_once(records, sink)):
            await until(lambda: sink.taken)
            await asyncio.sleep(0.3)
            assert sink.taken == [0]
            await asyncio.to_thread(held.__exit__, None, None, None)
            await until(lambda: counts(records, ["phone"])["phone"].delivered == 2, 60)

    @sa.event.listens_for(records.engine, "checkout")
    def _impatient(connection: Any, *_args: Any) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    asyncio.run(main())
    assert sink.taken == [0, 1]


def test_a_receiver_that_is_away_gets_all_when_it_is_back(records: Records) -> None:
    """With the real webhook: 503 with Retry-After, hanging up, then taking each event once."""
    store(records, *range(4))
    answers: list[Answer] = [(503, {"retry-after": "0"}), (0, {}), (500, {})]

    def answer(_sent: Sent) -> Answer:
        return answers.pop(0) if answers else (200, {})

    async def main() -> list[bytes]:
        with web() as receiver:
            receiver.answer = answer
            sink = Webhook(f"http://127.0.0.1:{receiver.port}/", allow_hosts=["127.0.0.1"])
            async with running(at_once(records, sink)):
                await until(lambda: counts(records, ["phone"])["phone"].delivered == 4)
            return [sent.body for sent in receiver.sent]

    bodies = asyncio.run(main())
    assert len(bodies) == 7
    assert len(set(bodies[:4])) == 1  # the first one, until it is taken
    assert len(set(bodies)) == 4
    assert counts(records, ["phone"])["phone"].failed == 3


CHANCE = st.floats(0, 1)


@given(chances=st.lists(CHANCE, min_size=30, max_size=30))
def test_pauses_grow_from_5_s_to_24_h(chances: list[float]) -> None:
    pause, pauses = 0.0, []
    for chance in chances:
        pause = pause_s(pause, Retry("busy"), partial(float, chance))
        pauses.append(pause)
    assert pauses[0] == 5
    assert pauses == sorted(pauses)
    assert all(2 * one <= other or other == DAY_S for one, other in pairwise(pauses))
    assert pauses[-1] == DAY_S


@given(previous=st.floats(0, DAY_S), chance=CHANCE, after=st.floats(0, 10 * DAY_S))
def test_what_a_target_asks_for_is_obeyed(previous: float, chance: float, after: float) -> None:
    pause = pause_s(previous, Retry("busy", after), lambda: chance)
    assert max(1, min(after, DAY_S)) <= pause <= DAY_S


@given(previous=st.floats(0, DAY_S), chance=CHANCE)
def test_what_is_not_reached_is_tried_again_within_10_s(previous: float, chance: float) -> None:
    pause = pause_s(previous, Retry("no route", reached=False), lambda: chance)
    assert 5 <= pause <= 10


KILLED = """
import asyncio, sys
from functools import partial
from pathlib import Path
from app.bridge.alarms import AlarmRule, AlarmState, Observation, observe
from app.bridge.delivering import Delivering
from app.bridge.sinks.webhook import Webhook
from app.core.crew import beside
from app.records.opening import open_records
from app.records.outbox import AlarmRecord, alarm_states, put
from app.records.verdicts import now

async def main(folder, port):
    records = open_records(folder)
    sink = Webhook(f"http://127.0.0.1:{port}/", allow_hosts=["127.0.0.1"])
    delivering = Delivering(records, "hook", sink, pause=lambda *_: 0.01)
    asyncio.create_task(delivering.run())
    found = alarm_states(records).get(("shelf", "can"))
    state = AlarmState.from_json(found) if found else AlarmState()
    rule = AlarmRule(k=1, n=1, hold_s=0)
    print("open", flush=True)
    while True:  # each photo raises an alarm or clears it
        verdict = "normal" if state.is_raised else "anomalous"
        state, events = observe(
            state, Observation(verdict), rule, now(), camera="shelf", category="can"
        )
        stored = [AlarmRecord("shelf", "can", state.to_json())]
        await beside(partial(put, records, events, lambda event: ["hook"], stored))
        print(events[0].id, flush=True)
        delivering.wake()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.slow
def test_kill_9_at_100_moments_loses_no_event(tmp_path: Path) -> None:
    """Of the alarm, the outbox, the delivery and a receiver that now and then is not well."""
    chance = random.Random(0)
    stored: list[str] = []
    with web() as receiver:
        answers: list[Answer] = [*[(200, {})] * 8, (503, {}), (0, {})]
        receiver.answer = lambda _sent: chance.choice(answers)
        for _ in range(100):
            process = subprocess.Popen(
                [sys.executable, "-c", KILLED, tmp_path / "records", str(receiver.port)],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            assert process.stdout is not None
            assert "open\n" in iter(process.stdout.readline, "")
            time.sleep(chance.uniform(0, 0.5))
            process.kill()
            out, _ = process.communicate(timeout=30)
            stored += re.findall(r"^[0-9a-f-]{36}$", out, re.MULTILINE)
        taken: list[Any] = []

        def take(sent: Sent) -> Answer:
            taken.append(json.loads(sent.body))
            return 200, {}

        before = [json.loads(sent.body) for sent in receiver.sent]
        receiver.answer = take

        async def rest() -> None:
            with open_records(tmp_path / "records") as records:
                sink = Webhook(f"http://127.0.0.1:{receiver.port}/", allow_hosts=["127.0.0.1"])
                delivering = Delivering(records, "hook", sink)
                async with running(delivering):
                    await until(lambda: oldest(records, "hook") is None, 60)

        asyncio.run(rest())
    got = [(one["id"], one["type"]) for one in [*before, *taken]]
    once = [one for one, _ in groupby(got)]  # told again are neighbours only
    assert len(set(once)) == len(once)
    assert set(stored) <= {identity for identity, _ in once}
    # Across all deaths: an alarm is raised, then cleared, then raised, …
    kinds = [kind.rpartition(".")[2] for _, kind in once]
    assert kinds == (["raised", "cleared"] * len(kinds))[: len(kinds)]
    assert len(stored) > 100

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bridge.sinks.frigate import FrigateLabel, certainty, frigate_event
from app.bridge.sinks.sink import Refused, Retry
from app.records.events import Event

from .web import Web

BODY = {"p_value": 0.004, "fields": {"event_id": "1764153764.9-ab12cd", "label": "bottle"}}


def label(port: int, event: Event, **options: Any) -> None:
    async def once() -> None:
        sink = FrigateLabel(f"http://127.0.0.1:{port}/", **options)
        await sink.open()
        try:
            await sink.deliver(event, None)
        finally:
            await sink.close()

    asyncio.run(once())


def alarm(**changes: Any) -> Event:
    values: dict[str, Any] = {"kind": "alarm.raised", "camera": "till", "body": BODY}
    return Event(**{"category": "drink_can", **values, **changes})


def test_the_event_gets_its_sub_label(receiver: Web) -> None:
    label(receiver.port, alarm(), label="damaged {category}", token="t0ken")
    (sent,) = receiver.sent
    assert (sent.method, sent.path) == ("POST", "/api/events/1764153764.9-ab12cd/sub_label")
    assert json.loads(sent.body) == {"subLabel": "damaged drink_can", "subLabelScore": 0.996}
    assert sent.headers["authorization"] == "Bearer t0ken"
    assert sent.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "event",
    [
        alarm(kind="alarm.cleared"), alarm(kind="camera.lost"), alarm(body={}),
        alarm(body={"fields": {"label": "bottle"}}), alarm(body={"fields": None}),
    ],
)  # fmt: skip
def test_what_came_from_no_event_is_left_alone(receiver: Web, event: Event) -> None:
    label(receiver.port, event)
    assert receiver.sent == []


def test_an_id_cannot_lead_elsewhere(receiver: Web) -> None:
    label(receiver.port, alarm(body={"fields": {"event_id": "../config/save?x="}}))
    assert receiver.sent[0].path == "/api/events/..%2Fconfig%2Fsave%3Fx%3D/sub_label"


@pytest.mark.parametrize(
    ("status", "error"), [(404, Refused), (422, Refused), (401, Retry), (500, Retry), (503, Retry)]
)
def test_what_an_answer_means(receiver: Web, status: int, error: type[Exception]) -> None:
    receiver.answer = lambda _sent: (status, {"retry-after": "9"})
    with pytest.raises(error, match=f"Frigate answered {status}") as found:
        label(receiver.port, alarm())
    assert not isinstance(found.value, Retry) or found.value.after_s == 9


def test_frigate_is_away(receiver: Web) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(Retry, match="cannot be reached") as found:
            label(taken.getsockname()[1], alarm())
    assert not found.value.reached
    receiver.answer = lambda _sent: (0, {})
    with pytest.raises(Retry, match="broke"):
        label(receiver.port, alarm())


@given(p_value=st.floats() | st.none() | st.text())
def test_the_certainty_is_what_frigate_takes(p_value: object) -> None:
    sure = certainty({"p_value": p_value})
    assert sure is None or 0 < sure <= 1


def test_an_id_is_text() -> None:
    assert frigate_event({"fields": {"event_id": 7}}) is None
    assert frigate_event(BODY) == "1764153764.9-ab12cd"


@pytest.mark.parametrize("url", ["frigate:5000", "ftp://frigate", "http://"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="Frigate is a URL"):
        FrigateLabel(url)

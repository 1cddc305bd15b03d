"""Before a real Mosquitto; Frigate's API is a server that answers as Frigate's does."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from pydantic import SecretStr

from app.bridge.config import Broker, Events
from app.bridge.config import Frigate as Server
from app.bridge.frames import Frame
from app.bridge.sources.broker import WAITING
from app.bridge.sources.frigate import Frigate
from app.bridge.sources.mqtt import Mqtt, photo_of
from app.bridge.sources.source import Source, SourceError
from app.bridge.supervising import Supervisor
from tests.support import encode, plain, textured
from tests.unit.bridge.mosquitto import PROGRAM, free_port, mosquitto
from tests.unit.bridge.sources import serving
from tests.unit.bridge.sources.serving import Camera, Headers

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(PROGRAM is None, reason="needs mosquitto"),
]

PHOTO = encode(textured(64, 48), "JPEG")
CLEAN = encode(textured(64, 48), "WebP")


def mqtt(broker: Broker, topic: str = "goods/#") -> Mqtt:
    return Mqtt("a", topic, broker, image_field="image", max_bytes=1 << 20)


@asynccontextmanager
async def listening(
    source: Source, broker: Broker
) -> AsyncGenerator[tuple[asyncio.Queue[Frame], aiomqtt.Client], None]:
    """The source's frames, and a client that publishes; the source is subscribed."""
    seen: asyncio.Queue[Frame] = asyncio.Queue()

    async def follow() -> None:
        async for frame in source.frames():
            if frame.fields.get("label") != "probe":
                seen.put_nowait(frame)
            ready.set()

    ready = asyncio.Event()
    task = asyncio.create_task(follow())
    async with aiomqtt.Client(broker.host, broker.port) as client:
        try:
            while not ready.is_set():
                await client.publish(*PROBES[type(source)])
                await asyncio.sleep(0.05)
            yield seen, client
        finally:
            assert not task.done()
            task.cancel()
            await asyncio.wait({task})


def event(kind: str = "new", **after: Any) -> str:
    whole = {
        "id": "1607123955.475377-mxklsc", "camera": "front", "label": "bottle", "sub_label": None,
        "current_zones": [], "entered_zones": ["shelf"], "has_snapshot": True, "score": 0.8,
    }  # fmt: skip
    return json.dumps({"type": kind, "before": {}, "after": {**whole, **after}})


PROBES: dict[type[Any], tuple[str, str]] = {
    Mqtt: (
        "goods/x",
        json.dumps({"image": base64.b64encode(PHOTO).decode(), "label": "probe"}),
    ),
    Frigate: ("frigate/events", event(label="probe")),
}


async def following(seen: asyncio.Queue[Frame]) -> Frame:
    async with asyncio.timeout(15):
        return await seen.get()


async def test_photos_and_json_with_photos_are_taken(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with listening(mqtt(broker), broker) as (seen, client):
            await client.publish("goods/till-3", b"no photo")
            await client.publish("goods/till-3", PHOTO)
            image = "data:image/jpeg;base64," + base64.b64encode(PHOTO).decode()
            document = {"image": image, "label": "bottle", "weight": 330, "more": {}, "ok": True}
            await client.publish("goods/till-4", json.dumps(document))
            first, second = [await following(seen) for _ in range(2)]
    assert (first.data, first.fields) == (PHOTO, {"topic": "goods/till-3"})
    assert second.data == PHOTO
    assert second.fields == {"label": "bottle", "weight": "330", "topic": "goods/till-4"}


async def test_photos_that_the_broker_has_kept_are_left_out(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.publish("goods/old", encode(plain(3)), qos=1, retain=True)
        async with listening(mqtt(broker), broker) as (seen, client):
            await client.publish("goods/new", PHOTO, retain=True)  # to us it comes as it is sent
            assert (await following(seen)).fields["topic"] == "goods/new"


async def test_of_photos_that_nobody_takes_the_newest_are_kept(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        frames = mqtt(broker).frames()
        async with aiomqtt.Client(broker.host, broker.port) as client:
            coming = asyncio.create_task(anext(frames))
            while not coming.done():
                await client.publish("goods/probe", PHOTO)
                await asyncio.sleep(0.05)
            many = 3 * WAITING
            for number in range(many):
                await client.publish(f"goods/{number}", PHOTO, qos=1)
            await client.publish("goods/last", PHOTO, qos=1)
        got: list[str] = []
        async with asyncio.timeout(20):
            while not got or got[-1] != "goods/last":
                got.append((await anext(frames)).fields["topic"])
        await frames.aclose()
    numbers = [topic for topic in got if topic[6:].isdigit()]
    assert len(numbers) <= WAITING
    assert numbers == [f"goods/{n}" for n in range(many - len(numbers), many)]


async def test_a_broker_that_restarts_is_found_again(tmp_path: Path) -> None:
    port = free_port()
    seen: list[Frame] = []

    async def take(frame: Frame) -> None:
        seen.append(frame)

    supervisor = Supervisor("a", lambda: mqtt(Broker(url=f"mqtt://127.0.0.1:{port}")), take)
    task = asyncio.create_task(supervisor.run())
    try:
        for _ in range(3):
            before = len(seen)
            with mosquitto(tmp_path, port) as broker:
                async with (
                    asyncio.timeout(12),
                    aiomqtt.Client(broker.host, broker.port) as client,
                ):
                    while len(seen) == before:
                        await client.publish("goods/x", PHOTO)
                        await asyncio.sleep(0.1)
            async with asyncio.timeout(10):
                while not supervisor.standing.reason:
                    await asyncio.sleep(0.05)
            assert "the broker 127.0.0.1" in supervisor.standing.reason
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_broker_that_refuses_us_is_told(tmp_path: Path) -> None:
    with mosquitto(tmp_path, password="s3cret") as broker:
        with pytest.raises(SourceError, match="refuses us: set username and password_file"):
            await anext(mqtt(broker).frames())
        known = broker.model_copy(update={"username": "camera", "password": SecretStr("s3cret")})
        frames = mqtt(known).frames()
        with pytest.raises(TimeoutError):  # let in, it waits for photos
            async with asyncio.timeout(1):
                await anext(frames)
    with pytest.raises(SourceError, match="cannot be reached"):
        await anext(mqtt(broker).frames())


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "it is empty"),
        (b"GIF89a", "no photo's"),
        (PHOTO + b"\0" * 5000, "more than 5,000 bytes"),
        (b"{", "neither a photo nor JSON"),
        (b"{}", "no text image"),
        (b'{"image": "%%"}', "not base64"),
        (b'{"image": "aGFsbG8="}', "no photo's"),
        (b'{"image":' + b"[" * 100_000, "neither a photo nor JSON"),
    ],
)
def test_what_is_no_photo_is_refused(payload: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        photo_of(payload, "image", 5000)


def frigate(broker: Broker, url: str, **events: Any) -> Frigate:
    return Frigate("a", "front", broker, Server(url=url), Events(**events), max_bytes=1 << 20)


def answers(files: dict[str, bytes]) -> serving.Answer:
    async def answer(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
        found = next((data for name, data in files.items() if asked["path"].endswith(name)), None)
        status = "200 OK" if found else "404 Not Found"
        await serving.plain(found or b"", status)(camera, asked, writer)

    return answer


@pytest.mark.parametrize("name", ["snapshot-clean.webp", "snapshot-clean.png", "front/latest.jpg"])
async def test_an_event_brings_the_photo_that_frigate_has(tmp_path: Path, name: str) -> None:
    with mosquitto(tmp_path) as broker:
        async with serving.serving(answers({name: CLEAN})) as api:
            source = frigate(broker, api.url.rsplit("/", 1)[0])
            async with listening(source, broker) as (seen, client):
                await client.publish("frigate/events", event("end", camera="back"))
                await client.publish("frigate/events", event("update"))
                await client.publish("frigate/events", "{}")
                await client.publish("frigate/events", event("end", label="can"))
                frame = await following(seen)
    assert frame.data == CLEAN
    assert frame.fields == {
        "label": "can", "type": "end", "zones": "shelf", "event_id": "1607123955.475377-mxklsc",
    }  # fmt: skip


async def test_an_event_without_a_photo_costs_no_other(tmp_path: Path) -> None:
    files = {"good-1/snapshot-clean.webp": CLEAN, "mxklsc/snapshot-clean.webp": CLEAN}
    with mosquitto(tmp_path) as broker:
        async with serving.serving(answers(files)) as api:
            source = frigate(broker, api.url.rsplit("/", 1)[0])
            async with listening(source, broker) as (seen, client):
                await client.publish("frigate/events", event(id="gone-1"))
                await client.publish("frigate/events", event(id="good-1"))
                assert (await following(seen)).fields["event_id"] == "good-1"


BROKER = Broker(url="mqtt://h")
REVIEW = {
    "type": "end",
    "after": {
        "camera": "front", "severity": "alert",
        "data": {"detections": ["a-1", "b-2"], "objects": ["bottle"], "zones": ["shelf"]},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("events", "payload", "ids"),
    [
        ({}, event("new"), ["1607123955.475377-mxklsc"]),
        ({"on": ("end",)}, event("new"), []),
        ({"labels": ("can",)}, event(), []),
        ({"labels": ("can", "bottle")}, event(), ["1607123955.475377-mxklsc"]),
        ({"zones": ("till",)}, event(), []),
        ({"zones": ("till",)}, event(current_zones=["till"]), ["1607123955.475377-mxklsc"]),
        ({"reviews": True}, json.dumps(REVIEW), ["a-1", "b-2"]),
        ({"reviews": True, "labels": ("can",)}, json.dumps(REVIEW), []),
        ({}, "[]", []),
        ({}, '{"type": "new", "after": null}', []),
    ],
)
def test_which_events_count(events: dict[str, Any], payload: str, ids: list[str]) -> None:
    found = list(frigate(BROKER, "http://h", **events).wanted(payload.encode()))
    assert [event for event, _ in found] == ids
    assert all(fields["label"] == "bottle" for _, fields in found)

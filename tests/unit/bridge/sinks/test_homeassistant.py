from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from PIL import Image
from structlog.testing import capture_logs

from app.bridge.sinks.broker import BrokerAddress
from app.bridge.sinks.discovery import discovery, identity
from app.bridge.sinks.homeassistant import HomeAssistant, jpeg
from app.bridge.sinks.shown import Reading
from app.bridge.sinks.sink import Retry
from app.records.events import Event
from tests.support import ROOT

from .mosquitto import Broker, mosquitto

CAMERAS = {"shelf 3": ["drink_can", "food-box"], "till": []}
CONFIG = "homeassistant/device/goodsguard_till/config"
STATE = "goodsguard/shelf 3/state"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with mosquitto(tmp_path) as running:
        yield running


class Listener:
    """What a client that listens has got: each message, and the newest of each topic."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.all: list[tuple[str, bytes]] = []
        self.retained: set[str] = set()

    @property
    def newest(self) -> dict[str, bytes]:
        return dict(self.all)

    def state(self) -> Any:
        return json.loads(self.newest.get(STATE, b"{}"))

    async def until(self, condition: Callable[[], Any], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    async def listen(self) -> None:
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            self.all.append((str(message.topic), message.payload))
            if message.retain:
                self.retained.add(str(message.topic))


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[Listener]:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        listener = Listener(client)
        await client.subscribe("#", 1)
        task = asyncio.create_task(listener.listen())
        yield listener
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def sink_to(broker: Broker, **options: Any) -> AsyncIterator[HomeAssistant]:
    sink = HomeAssistant(BrokerAddress("127.0.0.1", broker.port), CAMERAS, **options)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def event(kind: Any = "alarm.raised", **changes: Any) -> Event:
    values: dict[str, Any] = {"camera": "shelf 3", "category": "drink_can", "body": {"score": 7.5}}
    return Event(kind=kind, **values | changes)


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), (255, 0, 0)).save(buffer, kind)
    return buffer.getvalue()


def test_cameras_are_announced_and_an_alarm_is_shown(broker: Broker) -> None:
    async def main() -> None:
        async with listening(broker) as heard, sink_to(broker) as sink:
            sink.read("shelf 3", "drink_can", Reading("normal", 1.5, 2.0, 0.3, "2026-03-01T12:00"))
            await sink.deliver(event(), picture("PNG"))
            await heard.until(lambda: heard.state().get("alarm") == "ON")
            assert heard.newest["goodsguard/status"] == b"online"
            assert heard.state() == {
                "alarm": "ON", "blind": "OFF", "lost": "OFF", "paused": "OFF",
                "categories": {
                    "drink_can": {
                        "alarm": "ON", "verdict": "normal", "score": 1.5, "threshold": 2.0,
                        "p_value": 0.3, "time": "2026-03-01T12:00",
                    },
                    "food-box": {"alarm": "OFF"},
                },
            }  # fmt: skip
            overlay = heard.newest["goodsguard/shelf 3/overlay"]
            assert overlay.startswith(b"\xff\xd8")
            assert Image.open(io.BytesIO(overlay)).size == (20, 10)
            await heard.until(lambda: "goodsguard/shelf 3/event" in heard.newest)
            told = json.loads(heard.newest["goodsguard/shelf 3/event"])
            assert (told["kind"], told["score"]) == ("alarm.raised", 7.5)
            await sink.deliver(event("alarm.cleared"), None)
            await sink.deliver(event("camera.blind", category=None), None)
            await sink.deliver(event("camera.lost", category=None), None)
            await heard.until(lambda: heard.state().get("lost") == "ON")
            state = heard.state()
            assert (state["alarm"], state["blind"]) == ("OFF", "ON")
        async with listening(broker) as late:  # who comes later sees what is retained
            await late.until(lambda: STATE in late.newest)
            await late.until(lambda: CONFIG in late.newest)
            assert late.retained >= {STATE, CONFIG, "goodsguard/shelf 3/overlay"}
            assert "goodsguard/shelf 3/event" not in late.newest
            await late.until(lambda: late.newest.get("goodsguard/status") == b"offline")

    asyncio.run(main())


def test_it_announces_again_when_home_assistant_was_restarted(broker: Broker) -> None:
    async def main() -> None:
        async with listening(broker) as heard, sink_to(broker):
            await heard.until(lambda: heard.newest.get("goodsguard/status") == b"online")
            before = [topic for topic, _ in heard.all].count(CONFIG)
            await heard.client.publish("homeassistant/status", "offline", 1)
            await heard.client.publish("homeassistant/status", "online", 1)
            await heard.until(lambda: [topic for topic, _ in heard.all].count(CONFIG) > before)

    asyncio.run(main())


def test_a_switch_pauses_a_camera(broker: Broker) -> None:
    asked: list[tuple[str, bool]] = []

    async def main() -> None:
        pausing = sink_to(broker, on_pause=lambda *said: asked.append(said))
        async with listening(broker) as heard, pausing as sink:
            await heard.until(lambda: heard.newest.get("goodsguard/status") == b"online")
            for said in ("maybe", "ON"):
                await heard.client.publish("goodsguard/shelf 3/pause/set", said, 1)
            await heard.client.publish("goodsguard/nobody/pause/set", "ON", 1)
            await heard.until(lambda: heard.state().get("paused") == "ON")
            await heard.client.publish("goodsguard/shelf 3/pause/set", "OFF", 1)
            await heard.until(lambda: heard.state().get("paused") == "OFF")
            sink.paused("shelf 3", True)
            await heard.until(lambda: heard.state().get("paused") == "ON")

    asyncio.run(main())
    assert asked == [("shelf 3", True), ("shelf 3", False)]


def test_a_fault_of_who_pauses_does_not_end_the_connection(broker: Broker) -> None:
    def fails(_camera: str, _paused: bool) -> None:
        raise ValueError("a fault of ours")

    async def main() -> None:
        async with listening(broker) as heard, sink_to(broker, on_pause=fails) as sink:
            await heard.until(lambda: heard.newest.get("goodsguard/status") == b"online")
            await heard.client.publish("goodsguard/shelf 3/pause/set", "ON", 1)
            await heard.until(lambda: sink.trouble is not None)
            await heard.until(lambda: sink.trouble is None)
            await sink.deliver(event(), None)

    asyncio.run(main())


def test_what_is_remembered_is_shown_from_the_start(broker: Broker) -> None:
    async def main() -> None:
        sink = HomeAssistant(BrokerAddress("127.0.0.1", broker.port), CAMERAS, gone=["old"])
        sink.know("shelf 3", raised=["food-box"], blind=True, paused=True)
        async with listening(broker) as heard:
            await heard.client.publish("homeassistant/device/goodsguard_old/config", "{}", 1, True)
            await sink.open()
            await heard.until(lambda: heard.newest.get("goodsguard/status") == b"online")
            state = heard.state()
            assert (state["blind"], state["paused"]) == ("ON", "ON")
            assert state["categories"]["food-box"] == {"alarm": "ON"}
            assert heard.newest["homeassistant/device/goodsguard_old/config"] == b""
            await sink.close()

    asyncio.run(main())


@pytest.mark.slow
def test_a_broker_that_is_restarted_gets_everything_again(broker: Broker) -> None:
    async def main() -> None:
        async with sink_to(broker) as sink:
            await sink.deliver(event(), None)
            await asyncio.to_thread(broker.stop)
            async with asyncio.timeout(20):
                while sink.trouble is None:
                    await asyncio.sleep(0.01)
            with capture_logs() as logs, pytest.raises(Retry) as found:
                await sink.deliver(event("alarm.cleared"), None)
            assert not found.value.reached
            assert logs == []  # told once, when it was lost
            sink.read("shelf 3", "drink_can", Reading("normal", 1.25))
            await asyncio.to_thread(broker.start)
            started = asyncio.get_running_loop().time()
            while True:
                try:
                    await sink.deliver(event("alarm.cleared"), None)
                    break
                except Retry:
                    assert asyncio.get_running_loop().time() < started + 10
            async with listening(broker) as heard:
                await heard.until(lambda: STATE in heard.newest)
                state = heard.state()["categories"]["drink_can"]
                assert (state["alarm"], state["score"]) == ("OFF", 1.25)
                await heard.until(lambda: CONFIG in heard.newest)

    asyncio.run(main())


DIES = """
import asyncio, sys
from app.bridge.sinks.broker import BrokerAddress
from app.bridge.sinks.homeassistant import HomeAssistant

async def main():
    await HomeAssistant(BrokerAddress("127.0.0.1", int(sys.argv[1])), {"till": []}).open()
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_process_that_dies_is_seen_by_its_last_will(broker: Broker) -> None:
    async def main() -> None:
        async with listening(broker) as heard:
            process = subprocess.Popen([sys.executable, "-c", DIES, str(broker.port)], cwd=ROOT)
            try:
                await heard.until(lambda: heard.newest.get("goodsguard/status") == b"online")
            finally:
                process.kill()
                process.wait()
            await heard.until(lambda: heard.newest["goodsguard/status"] == b"offline")

    asyncio.run(main())


@pytest.mark.slow
def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path) -> None:
    async def main(broker: Broker) -> str:
        wrong = BrokerAddress("127.0.0.1", broker.port, "bridge", "geheim")
        sink = HomeAssistant(wrong, CAMERAS)
        await sink.open()
        with pytest.raises(Retry) as found:
            await sink.deliver(event(), None)
        await sink.close()
        right = HomeAssistant(BrokerAddress("127.0.0.1", broker.port, "bridge", "right"), CAMERAS)
        await right.open()
        await right.deliver(event(), None)
        await right.close()
        return str(found.value)

    with mosquitto(tmp_path, "right") as broker, capture_logs() as logs:
        said = asyncio.run(main(broker))
    assert "Not authorized" in said
    assert "geheim" not in said + str(logs)
    assert len([log for log in logs if log["log_level"] == "warning"]) == 1


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://mosquitto", BrokerAddress("mosquitto")),
        ("mqtts://u:p%40s@host", BrokerAddress("host", 8883, "u", "p@s", tls=True)),
        ("mqtt://host:1884/", BrokerAddress("host", 1884)),
    ],
)
def test_a_brokers_url(url: str, address: BrokerAddress) -> None:
    assert BrokerAddress.of(url) == address
    assert "p@s" not in repr(address)


@pytest.mark.parametrize(
    "url", ["http://host", "mqtt://", "mqtt://u:geheim@host:x", "mqtt://h/topic"]
)
def test_a_wrong_url_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="a broker") as found:
        BrokerAddress.of(url)
    assert "geheim" not in str(found.value)


def test_ids_are_plain_and_of_one_camera_each() -> None:
    names = ["shelf-3", "shelf 3", "shelf_3", "Shelf 3", "shelf.3", "Regal ä", "Regal ö"]
    ids = {identity(name) for name in names}
    assert len(ids) == len(names)
    assert all(one.isascii() and " " not in one and "." not in one for one in ids)


def test_each_entity_has_an_id_of_its_own() -> None:
    components = discovery("shelf 3", ["drink_can", "food-box"])["components"]
    ids = [component["unique_id"] for component in components.values()]
    assert len(set(ids)) == len(ids) == 4 + 2 * 3


def test_what_is_no_picture_is_left_out() -> None:
    assert jpeg(b"\xff\xd8 anything") == b"\xff\xd8 anything"
    assert jpeg(b"no picture") is None
    converted = jpeg(picture("PNG"))
    assert converted is not None
    assert Image.open(io.BytesIO(converted)).format == "JPEG"

"""Home Assistant's own code takes what announces a camera.

It wants a Python and packages of its own: `HOMEASSISTANT_PYTHON` names one that has `homeassistant`
(2024.11 or later) and `paho-mqtt`.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.bridge.sinks.broker import BrokerAddress
from app.bridge.sinks.discovery import Topics, discovery
from app.bridge.sinks.homeassistant import HomeAssistant
from app.bridge.sinks.shown import Reading, ShownCamera
from app.records.events import Event

from .mosquitto import mosquitto

PYTHON = os.environ.get("HOMEASSISTANT_PYTHON")
pytestmark = pytest.mark.skipif(not PYTHON, reason="HOMEASSISTANT_PYTHON names none")

SCRIPT = Path(__file__).with_name("accept_discovery.py")
CORE = Path(__file__).with_name("real_home.py")
WITHOUT_OURS = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def state() -> str:
    shown = ShownCamera(("drink_can", "food-box"), raised={"drink_can"}, lost=True)
    shown.readings["drink_can"] = Reading("anomalous", 7.81, 6.02, None)
    return shown.to_json()


def accepted(payload: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PYTHON), str(SCRIPT)], input=json.dumps([payload, state()]), env=WITHOUT_OURS,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("camera", ["shelf-3", "Regal 3 (ä)"])
def test_a_camera_is_taken(camera: str) -> None:
    done = accepted(discovery(camera, ["drink_can", "food-box"]))
    assert done.returncode == 0, done.stderr
    version, values = json.loads(done.stdout.splitlines()[-1])
    assert version >= "2024.11"
    assert values == {
        "blind": "OFF", "connected": "OFF", "pause": "OFF",
        "drink_can_problem": "ON", "drink_can_score": "7.81", "drink_can_p_value": "None",
        "food-box_problem": "OFF", "food-box_score": "None", "food-box_p_value": "None",
    }  # fmt: skip


def _no_origin(payload: dict[str, Any]) -> None:
    del payload["origin"]


def _no_id(payload: dict[str, Any]) -> None:
    del payload["components"]["blind"]["unique_id"]


def _wrong_class(payload: dict[str, Any]) -> None:
    payload["components"]["blind"]["device_class"] = "damage"


def _wrong_template(payload: dict[str, Any]) -> None:
    payload["components"]["blind"]["value_template"] = "{{ value_json."


@pytest.mark.parametrize("spoil", [_no_origin, _no_id, _wrong_class, _wrong_template])
def test_what_it_would_not_take_is_found(spoil: Callable[[dict[str, Any]], None]) -> None:
    payload = discovery("till", ["can"])
    spoil(payload)
    done = accepted(payload)
    assert done.returncode != 0
    assert "Invalid" in done.stderr


def test_its_topic_is_one_that_it_looks_at() -> None:
    # homeassistant.components.mqtt.discovery.TOPIC_MATCHER
    matcher = (
        r"(?P<component>\w+)/(?:(?P<node_id>[a-zA-Z0-9_-]+)/)?(?P<object_id>[a-zA-Z0-9_-]+)/config"
    )
    topic = Topics("Regal 3 (ä)").config("homeassistant")
    found = re.fullmatch(matcher, topic.removeprefix("homeassistant/"))
    assert found is not None
    assert found["component"] == "device"


@pytest.mark.slow
def test_a_real_home_assistant_shows_a_camera_and_pauses_it(tmp_path: Path) -> None:
    asked: list[tuple[str, bool]] = []

    async def main(port: int) -> str:
        address = BrokerAddress("127.0.0.1", port)
        cameras = {"shelf-3": ["drink_can", "food-box"]}
        sink = HomeAssistant(address, cameras, on_pause=lambda *said: asked.append(said))
        await sink.open()
        sink.read("shelf-3", "drink_can", Reading("anomalous", 7.81, 6.02, 0.004))
        event = Event(kind="alarm.raised", camera="shelf-3", category="drink_can")
        buffer = io.BytesIO()
        Image.new("RGB", (20, 10)).save(buffer, "JPEG")
        await sink.deliver(event, buffer.getvalue())
        process = await asyncio.create_subprocess_exec(
            str(PYTHON), str(CORE), str(port), str(tmp_path), "switch.shelf_3_pause",
            env=WITHOUT_OURS, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(180):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
            await sink.close()
        assert out, err.decode()
        return out.decode().splitlines()[-1]

    with mosquitto(tmp_path) as broker:
        states = json.loads(asyncio.run(main(broker.port)))
    shown = {name: state for name, state in states.items() if "shelf_3" in name}
    assert datetime.fromisoformat(shown.pop("image.shelf_3_defect"))
    assert shown == {
        "binary_sensor.shelf_3_blind": "off",
        "binary_sensor.shelf_3_connected": "on",
        "binary_sensor.shelf_3_drink_can": "on",
        "binary_sensor.shelf_3_food_box": "off",
        "sensor.shelf_3_drink_can_score": "7.81",
        "sensor.shelf_3_drink_can_p_value": "0.004",
        "sensor.shelf_3_food_box_score": "unknown",
        "sensor.shelf_3_food_box_p_value": "unknown",
        "switch.shelf_3_pause": "off",
    }
    assert asked == [("shelf-3", True)]

"""Home Assistant's own code takes what announces a camera.

It wants a Python and packages of its own: `HOMEASSISTANT_PYTHON` names one that has `homeassistant`
(2024.11 or later) and `paho-mqtt`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.bridge.sinks.discovery import Topics, discovery
from app.bridge.sinks.shown import Reading, ShownCamera

PYTHON = os.environ.get("HOMEASSISTANT_PYTHON")
pytestmark = pytest.mark.skipif(not PYTHON, reason="HOMEASSISTANT_PYTHON names none")

SCRIPT = Path(__file__).with_name("accept_discovery.py")


def state() -> str:
    shown = ShownCamera(("drink_can", "food-box"), raised={"drink_can"}, lost=True)
    shown.readings["drink_can"] = Reading("anomalous", 7.81, 6.02, None)
    return shown.to_json()


def accepted(payload: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(PYTHON), str(SCRIPT)], input=json.dumps([payload, state()]), env=environment,
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

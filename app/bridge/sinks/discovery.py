"""What Home Assistant is told of a camera: one device, and its entities (MQTT device discovery).

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload, from 2024.11 on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ... import __version__

BASE = "goodsguard"
STATUS = f"{BASE}/status"  # online, or offline by the last will
ON, OFF = "ON", "OFF"


@dataclass(frozen=True)
class Topics:
    """A camera's topics: its name stands in them as it is."""

    camera: str

    @property
    def state(self) -> str:
        """Retained JSON: `alarm`, `blind`, `lost`, `paused`, and `categories` by name."""
        return f"{BASE}/{self.camera}/state"

    @property
    def event(self) -> str:
        """Each event as JSON, not retained."""
        return f"{BASE}/{self.camera}/event"

    @property
    def overlay(self) -> str:
        """Retained: the newest picture of an alarm, as bytes of JPEG or PNG."""
        return f"{BASE}/{self.camera}/overlay"

    @property
    def pause(self) -> str:
        """ON or OFF, sent by whoever pauses the camera."""
        return f"{BASE}/{self.camera}/pause/set"

    def config(self, prefix: str) -> str:
        """Where the device is announced, retained."""
        return f"{prefix}/device/{identity(self.camera)}/config"


def identity(camera: str) -> str:
    """The device's id: letters, digits, _ and -; two cameras never share one."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", camera)
    if plain != camera:  # another name may have become the same
        plain += "_" + hashlib.sha256(camera.encode()).hexdigest()[:8]
    return f"{BASE}_{plain}"


def discovery(camera: str, categories: Sequence[str]) -> dict[str, Any]:
    """The payload that announces a camera.

    Args:
        categories: those that have entities of their own: a problem, a score and a p-value.
    """
    device, topics = identity(camera), Topics(camera)
    components = {
        "blind": {
            "platform": "binary_sensor", "name": "Blind", "device_class": "problem",
            "value_template": "{{ value_json.blind }}", "entity_category": "diagnostic",
        },
        "connected": {
            "platform": "binary_sensor", "name": "Connected", "device_class": "connectivity",
            "value_template": f"{{{{ '{OFF}' if value_json.lost == '{ON}' else '{ON}' }}}}",
            "entity_category": "diagnostic",
        },
        "overlay": {
            "platform": "image", "name": "Defect", "image_topic": topics.overlay,
            "content_type": "image/jpeg",
        },
        "pause": {
            "platform": "switch", "name": "Pause", "icon": "mdi:pause",
            "command_topic": topics.pause, "state_topic": topics.state,
            "value_template": "{{ value_json.paused }}",
        },
    }  # fmt: skip
    for category in categories:
        components |= _of_category(category)
    for key, component in components.items():
        component["unique_id"] = f"{device}_{key}"
        if component["platform"] in ("binary_sensor", "sensor"):
            component["state_topic"] = topics.state
    return {
        "device": {
            "identifiers": [device],
            "name": camera,
            "manufacturer": "GoodsGuard",
            "model": "Camera",
            "sw_version": __version__,
        },
        "origin": {"name": "GoodsGuard", "sw_version": __version__},
        "availability_topic": STATUS,
        "qos": 1,
        "components": components,
    }


def _of_category(category: str) -> dict[str, dict[str, Any]]:
    # A category's name is of a-z, 0-9, _ and -: none ends the quotes. Until its first photo there
    # is no value: "None" is what Home Assistant shows as unknown.
    value = f"value_json.categories['{category}']"
    name = category.replace("_", " ").capitalize()
    number = {"platform": "sensor", "state_class": "measurement"}
    return {
        f"{category}_problem": {
            "platform": "binary_sensor", "name": name, "device_class": "problem",
            "value_template": f"{{{{ {value}.alarm }}}}",
        },
        f"{category}_score": {
            **number, "name": f"{name} score", "suggested_display_precision": 2,
            "value_template": f"{{{{ {value}.score | default('None') }}}}",
        },
        f"{category}_p_value": {
            **number, "name": f"{name} p-value", "suggested_display_precision": 4,
            "value_template": f"{{{{ {value}.p_value | default('None') }}}}",
        },
    }  # fmt: skip

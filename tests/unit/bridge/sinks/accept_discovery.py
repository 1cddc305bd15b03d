"""Run by a Python that has Home Assistant: stdin holds what is announced, and a state.

What `homeassistant.components.mqtt.discovery` does with a device's payload, step by step; then what
its templates make of the state.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile
from typing import Any


async def main(announced: dict[str, Any], state: str) -> None:
    """Raise what Home Assistant raises; print its version and each entity's value."""
    module: Any = importlib.import_module
    hass = module("homeassistant.core").HomeAssistant(tempfile.gettempdir())
    module("homeassistant.helpers.frame").async_setup(hass)
    discovery = module("homeassistant.components.mqtt.discovery")
    payload = discovery.MQTTDiscoveryPayload(announced)
    discovery._replace_all_abbreviations(payload)
    discovery.DEVICE_DISCOVERY_SCHEMA(payload)
    values = {}
    for key, component in payload["components"].items():
        platform = component.pop("platform")
        config = discovery.MQTTDiscoveryPayload(component)
        config["device"], config["origin"] = payload["device"], payload["origin"]
        discovery._merge_common_device_options(config, payload)
        taken = module(f"homeassistant.components.mqtt.{platform}").DISCOVERY_SCHEMA(config)
        if (template := taken.get("value_template")) is not None:
            template.hass = hass
            values[key] = template.async_render_with_possible_json_value(state, "no value")
    print(json.dumps([module("homeassistant.const").__version__, values]))
    await hass.async_stop(force=True)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose modules have other modules' names
    asyncio.run(main(*json.load(sys.stdin)))

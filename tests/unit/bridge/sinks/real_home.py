"""Run by a Python that has Home Assistant: its core, with a broker, until it shows a camera.

Arguments: the broker's port, a folder for its configuration, a switch to turn on at the end. Prints
the states of all entities, and the switch's afterwards.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any


async def main(port: int, folder: Path, switch: str) -> None:
    """Start it, add the broker as a person would, look, and press the switch."""
    module: Any = importlib.import_module
    (folder / "configuration.yaml").write_text(
        "http:\n  server_host: 127.0.0.1\n  server_port: 0\n"
    )
    config = module("homeassistant.runner").RuntimeConfig(
        config_dir=str(folder), skip_pip=True, recovery_mode=False
    )
    hass = await module("homeassistant.bootstrap").async_setup_hass(config)
    await hass.async_start()
    flow = await hass.config_entries.flow.async_init("mqtt", context={"source": "user"})
    broker = {"broker": "127.0.0.1", "port": port}
    await hass.config_entries.flow.async_configure(flow["flow_id"], broker)
    async with asyncio.timeout(60):
        while hass.states.get(switch) is None or hass.states.get(switch).state == "unknown":
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)  # what comes behind it, at the broker's pace
    states = {state.entity_id: state.state for state in hass.states.async_all()}
    call = {"entity_id": switch}
    await hass.services.async_call("switch", "turn_on", call, blocking=True)
    async with asyncio.timeout(30):
        while hass.states.get(switch).state != "on":
            await asyncio.sleep(0.05)
    print(json.dumps(states), flush=True)
    await hass.async_stop(force=True)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose modules have other modules' names
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))

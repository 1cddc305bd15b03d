from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from app.bridge.sinks.frigate import FrigateLabel
from app.bridge.sinks.homeassistant import HomeAssistant
from app.bridge.sinks.making import sink_of
from app.bridge.sinks.settings import Target
from app.records.events import Event
from tests.support import ROOT

from .mosquitto import mosquitto
from .web import Web

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
EVENT = Event(kind="alarm.raised", camera="till", category="can")


def deliver(target: Target, overlay: bytes | None = b"\xff\xd8") -> None:
    async def once() -> None:
        sink = sink_of(target, {"till": ["can"], "shelf": []})
        await sink.open()
        await sink.deliver(EVENT, overlay)
        await sink.close()

    asyncio.run(once())


def test_a_webhook_signs_with_the_targets_secret(receiver: Web) -> None:
    url = f"http://127.0.0.1:{receiver.port}/"
    deliver(Target.model_validate({"webhook": url, "secret": SECRET, "allow_hosts": ["127.0.0.1"]}))
    (sent,) = receiver.sent
    assert Verifier(SECRET).verify(sent.body, sent.headers)


@pytest.mark.parametrize("overlay", [True, False])
def test_a_message_has_a_picture_where_the_target_wants_it(receiver: Web, overlay: bool) -> None:
    url = f"json://127.0.0.1:{receiver.port}"
    deliver(Target.model_validate({"apprise": url, "overlay": overlay}))
    assert len(json.loads(receiver.sent[0].body)["attachments"]) == overlay


def test_a_broker_with_its_password(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "geheim") as broker:
        deliver(
            Target.model_validate(
                {"mqtt": f"mqtt://127.0.0.1:{broker.port}", "username": "bridge",
                 "password": "geheim"}
            )
        )  # fmt: skip


def test_the_others() -> None:
    made = sink_of(Target(frigate="http://frigate:5000"), {})
    assert isinstance(made, FrigateLabel)
    made = sink_of(Target(mqtt="mqtt://broker", cameras=("till",)), {"till": [], "shelf": []})
    assert isinstance(made, HomeAssistant)
    assert set(made._cameras) == {"till"}


def test_a_file_without_certificates_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(ValueError, match=r"ca_file .* holds no certificates"):
            sink_of(Target(webhook="https://a", ca_file=tmp_path / name), {})


def test_importing_all_of_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, app.bridge.delivering, app.bridge.alarms, app.bridge.blindness\n"
        "import app.bridge.sinks.making, app.records.outbox_upkeep, app.records.camera_states\n"
        "heavy = {'torch', 'openvino', 'faiss', 'fastapi', 'scipy', 'numpy', 'apprise'}\n"
        "sys.exit(str(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.strip() == "set()"

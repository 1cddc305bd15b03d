from __future__ import annotations

import sys
from typing import Any

import pytest

from app.bridge.config import Broker, Camera, Config, Frigate, Service
from app.bridge.sources.making import make_source
from app.bridge.sources.source import SourceError

pytestmark = pytest.mark.anyio

CONFIG = Config(
    service=Service(url="http://h"), mqtt=Broker(url="mqtt://h"), frigate=Frigate(url="http://h")
)


def camera(source: str, **entries: Any) -> Camera:
    return Camera.model_validate({"name": "a", "source": source, **entries})


@pytest.mark.parametrize(
    ("source", "kind", "stall_s"),
    [
        ("rtsp://h/1", "Stream", 10 + 2 * 7),
        ("http://h/x.jpg", "Snapshot", 10 + 2 * 7),
        ("onvif://h", "Onvif", 10 + 4 * 7),
        ("/photos", "Folder", None),
        ("mqtt:goods/#", "Mqtt", None),
        ("frigate:front", "Frigate", None),
    ],
)
async def test_each_kind_of_source_is_made(source: str, kind: str, stall_s: float | None) -> None:
    made = make_source(camera(source, timeout_s=7), CONFIG)
    assert (type(made).__name__, made.name, made.stall_s) == (kind, "a", stall_s)
    made.ask()


async def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    monkeypatch.delitem(sys.modules, "app.bridge.sources.broker", raising=False)
    monkeypatch.delitem(sys.modules, "app.bridge.sources.mqtt", raising=False)
    with pytest.raises(SourceError, match=r"needs aiomqtt: pip install 'goodsguard\[bridge\]'"):
        make_source(camera("mqtt:x"), CONFIG)

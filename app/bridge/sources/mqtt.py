"""Photos that arrive as MQTT messages: the file itself, or JSON with the file in base64.

    goods/till-3            ◄── JPEG
    goods/till-3            ◄── {"image": "/9j/4AAQ…", "label": "bottle", "weight": 330}

What else stands in the JSON goes with the photo as its fields, text and numbers alone.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import structlog

from ..config import Broker
from ..frames import Frame, kind_of
from .broker import connected
from .source import SourceError

log = structlog.get_logger()


class Mqtt:
    """A topic, which may hold `+` and `#`."""

    stall_s: float | None = None

    def __init__(
        self, name: str, topic: str, broker: Broker, *, image_field: str, max_bytes: int
    ) -> None:
        self.name, self._topic, self._broker = name, topic, broker
        self._image_field, self._max_bytes = image_field, max_bytes

    def ask(self) -> None:
        """Messages come when they come."""

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """A photo for each message.

        A message that the broker has kept is left out: nobody knows how old it is.

        Raises:
            SourceError: the broker is not there.
        """
        async with connected(self._broker, self._topic) as client:
            async for message in client.messages:
                if message.retain or not isinstance(message.payload, bytes):
                    continue
                topic = str(message.topic)
                try:
                    data, fields = photo_of(message.payload, self._image_field, self._max_bytes)
                except ValueError as exc:
                    log.warning("a message is no photo", camera=self.name, topic=topic,
                                why=str(exc))  # fmt: skip
                    continue
                yield Frame.now(self.name, data, fields={**fields, "topic": topic})
        raise SourceError("the broker has ended the connection")


def photo_of(payload: bytes, image_field: str, max_bytes: int) -> tuple[bytes, dict[str, str]]:
    """A message's photo and its fields.

    Raises:
        ValueError: it holds none; the text says why.
    """
    fields: dict[str, str] = {}
    if payload[:1] == b"{":
        payload, fields = _of_json(payload, image_field)
    if len(payload) > max_bytes:
        raise ValueError(f"it has more than {max_bytes:,} bytes")
    if not kind_of(payload):
        raise ValueError("it is empty" if not payload else "its bytes are no photo's")
    return payload, fields


def _of_json(payload: bytes, image_field: str) -> tuple[bytes, dict[str, str]]:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as exc:
        raise ValueError("it is neither a photo nor JSON") from exc
    image = document.pop(image_field, None)
    if not isinstance(image, str):
        raise ValueError(f"its JSON has no text {image_field}, which image_field names")
    try:
        # A page's canvas gives `data:image/jpeg;base64,…`.
        return base64.b64decode(image.rpartition(",")[2], validate=True), plain_fields(document)
    except (binascii.Error, ValueError) as exc:
        raise ValueError(f"its {image_field} is not base64") from exc


def plain_fields(document: Mapping[str, Any]) -> dict[str, str]:
    """What of JSON can go with a photo: text and numbers."""
    return {
        key: str(value)
        for key, value in document.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }

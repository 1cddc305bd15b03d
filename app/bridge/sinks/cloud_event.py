"""An event as CloudEvents 1.0 in structured JSON: links, no pictures, less than 20 kB.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from ...records.events import Event

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
# What Standard Webhooks advises receivers to take.
MAX_BYTES = 20_000
_PREFIX = "io.goodsguard."


def cloud_event(event: Event) -> bytes:
    """The JSON, the same for each attempt. Of a body that is too large the longest entries go.

    What went is named in `data.left_out`.
    """
    data: dict[str, Any] = {"camera": event.camera, "category": event.category, **event.body}
    left_out: list[str] = []
    while len(text := _text(event, data)) >= MAX_BYTES:
        longest = max(data.keys() - {"left_out"}, key=lambda key: len(_json(data[key])))
        del data[longest]
        left_out.append(longest[:100])
        data["left_out"] = left_out
    return text


def _text(event: Event, data: dict[str, Any]) -> bytes:
    subject = {"subject": event.category} if event.category else {}
    return _json(
        {
            "specversion": "1.0",
            "id": str(event.id),
            "source": f"/goodsguard/cameras/{quote(event.camera, safe='')}",
            "type": _PREFIX + event.kind,
            "time": event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **subject,
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

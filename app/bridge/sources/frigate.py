"""Photos of what Frigate has detected: told over MQTT, fetched from its API.

    frigate/events    {"type": "new" | "update" | "end", "before": …, "after": {"id", "camera",
                       "label", "sub_label", "current_zones", "entered_zones", "has_snapshot", …}}
    frigate/reviews   {"type": …, "after": {"camera", "severity", "data": {"detections": [id, …]}}}

The photo without Frigate's own drawing is wanted: `snapshot-clean.webp`, in older versions `.png`;
where neither is kept, what the camera shows now.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import structlog

from ..config import Broker, Events
from ..config import Frigate as Server
from ..frames import Frame, is_whole
from .broker import connected
from .mqtt import plain_fields
from .source import SourceError

log = structlog.get_logger()

_CLEAN: Final = ("snapshot-clean.webp", "snapshot-clean.png")
_FIELDS: Final = ("label", "sub_label", "severity")


class Frigate:
    """A camera of Frigate's."""

    stall_s: float | None = None

    def __init__(
        self, name: str, camera: str, broker: Broker, server: Server, events: Events,
        *, max_bytes: int,
    ) -> None:  # fmt: skip
        self.name, self._camera, self._broker, self._server = name, camera, broker, server
        self._events, self._max_bytes = events, max_bytes

    def ask(self) -> None:
        """Events come when they come."""

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """A photo for each event that counts.

        Raises:
            SourceError: the broker is not there.
        """
        kind = "reviews" if self._events.reviews else "events"
        topic = f"{self._server.topic_prefix}/{kind}"
        async with (
            connected(self._broker, topic) as client,
            httpx.AsyncClient(
                base_url=self._server.url, timeout=self._server.timeout_s, trust_env=False
            ) as http,
        ):
            async for message in client.messages:
                if message.retain or not isinstance(message.payload, bytes):
                    continue
                for event, fields in self.wanted(message.payload):
                    try:
                        data = await self._photo(http, event, fields)
                    except SourceError as exc:  # of this event alone
                        log.warning("an event has no photo", camera=self.name, event_id=event,
                                    why=str(exc))  # fmt: skip
                        continue
                    yield Frame.now(self.name, data, fields=fields)
        raise SourceError("the broker has ended the connection")

    def wanted(self, payload: bytes) -> Iterator[tuple[str, dict[str, str]]]:
        """The events of a message that count, each with what goes with its photo."""
        try:
            message = json.loads(payload)
            kind, after = message["type"], message["after"]
            found = list(self._of(kind, after))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            log.warning("a message of Frigate's is not understood", camera=self.name)
            return
        yield from found

    def _of(self, kind: str, after: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
        events = self._events
        if after["camera"] != self._camera or kind not in events.on:
            return
        fields = plain_fields({key: after[key] for key in _FIELDS if after.get(key)})
        if events.reviews:
            data = after["data"]
            labels, zones, ids = data["objects"], data.get("zones", []), data["detections"]
            fields |= {"label": labels[0]} if labels else {}
        else:
            labels, zones = [after["label"]], [*after["current_zones"], *after["entered_zones"]]
            ids = [after["id"]]
        if events.labels and not set(labels) & set(events.labels):
            return
        if events.zones and not set(zones) & set(events.zones):
            return
        more = {"type": kind, "zones": ",".join(zones)}
        # A detection that is no longer kept has no snapshot, but the camera shows something.
        kept = {"has_snapshot": "no"} if after.get("has_snapshot") is False else {}
        for event in ids:
            yield event, {**fields, **more, **kept, "event_id": event}

    async def _photo(self, http: httpx.AsyncClient, event: str, fields: dict[str, str]) -> bytes:
        paths = [f"/api/events/{quote(event, safe='')}/{name}" for name in _CLEAN]
        if fields.pop("has_snapshot", "") == "no":
            paths = []
        paths.append(f"/api/{quote(self._camera, safe='')}/latest.jpg")
        why = ""
        for path in paths:
            try:
                answer = await http.get(path)
            except httpx.HTTPError as exc:
                why = f"{self._server.url} cannot be reached: {exc or type(exc).__name__}"
                continue
            if answer.status_code in (401, 403):
                raise SourceError(
                    f"{self._server.url} asks for a login: give its port 5000, which asks for none"
                )
            if answer.status_code == 200 and len(answer.content) <= self._max_bytes:
                if is_whole(answer.content):
                    return answer.content
                why = f"{path} is no whole photo"
            else:
                why = f"{path} answers {answer.status_code}, {len(answer.content):,} bytes"
        raise SourceError(why)

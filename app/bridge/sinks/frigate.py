"""Frigate: what is damaged gets a sub label at its event there.

`POST /api/events/<id>/sub_label`, https://docs.frigate.video/integrations/api/ (0.12 and later).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from ...records.events import Event
from .sink import Refused, Retry
from .webhook import retry_after

logging.getLogger("httpx").setLevel(logging.WARNING)

# Frigate's own limit.
_MAX_LABEL = 100


class FrigateLabel:
    """A sink that labels the Frigate event from which an alarm's photo came; others it ignores."""

    def __init__(
        self, url: str, *, token: str | None = None, label: str = "damaged", timeout_s: float = 10.0
    ) -> None:
        """Do nothing yet.

        Args:
            url: where Frigate answers, such as http://frigate:5000. token: a bearer's, for its port
                with a login. label: the sub label; "{category}" in it is replaced.

        Raises:
            ValueError: it is no such URL.
        """
        parts = httpx.URL(url)
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ValueError("Frigate is a URL such as http://frigate:5000")
        self._url, self._label, self._timeout_s = url.rstrip("/"), label, timeout_s
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Make the client."""
        self._client = httpx.AsyncClient(
            trust_env=False, timeout=self._timeout_s, headers=self._headers
        )

    async def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def deliver(self, event: Event, overlay: bytes | None) -> None:  # noqa: ARG002
        """Label its Frigate event, where it is an alarm that has one.

        Raises:
            Retry: Frigate does not take it now. Refused: it has no such event any more.
        """
        identity = frigate_event(event.body)
        if event.kind != "alarm.raised" or identity is None:
            return
        assert self._client is not None, "it is not open"
        label = self._label.replace("{category}", event.category or "")[:_MAX_LABEL]
        sent: dict[str, Any] = {"subLabel": label}
        if (sure := certainty(event.body)) is not None:
            sent["subLabelScore"] = sure
        url = f"{self._url}/api/events/{quote(identity, safe='')}/sub_label"
        try:
            answer = await self._client.post(url, json=sent)
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            raise Retry(f"Frigate cannot be reached: {exc}", reached=False) from exc
        except httpx.HTTPError as exc:
            raise Retry(f"the connection to Frigate broke: {exc or type(exc).__name__}") from exc
        if answer.is_success:
            return
        said = f"Frigate answered {answer.status_code} {answer.reason_phrase}".rstrip()
        if answer.status_code in (400, 404, 422):
            raise Refused(said)
        raise Retry(said, retry_after(answer.headers.get("retry-after"), time.time()))


def frigate_event(body: Mapping[str, Any]) -> str | None:
    """The id of the Frigate event that an event's photo came from, among its photo's fields."""
    fields = body.get("fields")
    found = fields.get("event_id") if isinstance(fields, Mapping) else None
    return found if isinstance(found, str) and found else None


def certainty(body: Mapping[str, Any]) -> float | None:
    """1 - p-value: how seldom a good photo is as anomalous; Frigate takes what is above 0."""
    p_value = body.get("p_value")
    if not isinstance(p_value, int | float) or not 0 <= p_value < 1:
        return None
    return round(1 - p_value, 4) or None

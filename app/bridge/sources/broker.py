"""A connection to the MQTT broker, and what is wrong where there is none."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import aiomqtt

from ..config import Broker
from .snapshot import REFUSED_AGAIN_S
from .source import SourceError

# Messages that nobody has taken yet; more, and the oldest are dropped.
WAITING: Final = 64
_KEEPALIVE_S: Final = 15


class _Newest(asyncio.Queue[aiomqtt.Message]):
    """Full, it drops the oldest message, not the newest."""

    _queue: deque[aiomqtt.Message]

    def full(self) -> bool:
        return False

    def _put(self, item: aiomqtt.Message) -> None:
        while 0 < self.maxsize <= len(self._queue):
            self._queue.popleft()
        self._queue.append(item)


@asynccontextmanager
async def connected(
    broker: Broker, *topics: str, waiting: int = WAITING
) -> AsyncGenerator[aiomqtt.Client, None]:
    """A client that is subscribed to the topics, at QoS 1.

    Args:
        waiting: so many messages are kept while nobody takes them.

    Raises:
        SourceError: the broker cannot be reached, refuses us, or goes away.
    """
    where = f"the broker {broker.host}:{broker.port}"
    try:
        async with aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password.get_secret_value() if broker.password else None,
            tls_context=_tls(broker),
            keepalive=_KEEPALIVE_S,
            timeout=10,
            queue_type=_Newest,
            max_queued_incoming_messages=waiting,
        ) as client:
            for topic in topics:
                await client.subscribe(topic, qos=1)
            yield client
    except aiomqtt.MqttError as exc:
        text = str(exc)
        if "ot authorized" in text or "ad user name" in text:
            raise SourceError(
                f"{where} refuses us: set username and password_file of [mqtt]",
                again_s=REFUSED_AGAIN_S,
            ) from exc
        raise SourceError(f"{where} cannot be reached: {text}") from exc
    except (OSError, ValueError) as exc:
        raise SourceError(f"{where} cannot be reached: {exc}") from exc


def _tls(broker: Broker) -> ssl.SSLContext | None:
    if not broker.tls:
        return None
    context = ssl.create_default_context()
    if not broker.verify_tls:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context

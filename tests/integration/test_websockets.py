"""No route speaks WebSocket: it is refused before anything looks at it."""

from __future__ import annotations

import pytest
from starlette.types import Message, Scope

from tests.integration.service import Service
from tests.integration.test_hostile_http import Wire, wire

__all__ = ["wire"]

pytestmark = pytest.mark.anyio

PATHS = ["/", "/score/can", "/docs", "/livez", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_websocket_is_closed_before_it_is_accepted(service: Service, path: str) -> None:
    scope: Scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "subprotocols": [],
        "client": ("192.0.2.7", 50_000),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await service.app(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("path", ["/score/can", "/nowhere"])
async def test_an_upgrade_over_the_wire_is_no_websocket(wire: Wire, path: str) -> None:
    """Refused, or taken for the plain request that it is by a server without WebSockets."""
    status, answer = await wire.send(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert status in (403, 404, 405)
    assert b"sec-websocket-accept" not in answer.lower()

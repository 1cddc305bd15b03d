"""Small real servers: what cameras of all makers do, and do wrong."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Headers = dict[str, str]
Answer = Callable[["Camera", Headers, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Camera:
    """A server at a free port; what it answers may be exchanged while it runs."""

    answer: Answer
    url: str = ""
    requests: list[Headers] = field(default_factory=list)


def plain(body: bytes, status: str = "200 OK", **headers: str) -> Answer:
    """Answers that."""

    async def answer(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def digest(body: bytes, user: str, password: str, algorithm: str = "MD5") -> Answer:
    """Answers that to whoever knows the password (RFC 7616, qop=auth)."""
    hashed = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

    def of(*parts: str) -> str:
        return hashed(":".join(parts).encode()).hexdigest()

    async def answer(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', asked.get("authorization", "")))
        proof = of(
            of(user, "camera", password),
            *(given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop")),
            of("GET", given.get("uri", "")),
        )
        if given.get("response") == proof and given.get("nonce") == "n0nce":
            await plain(body)(camera, asked, writer)
            return
        challenge = f'Digest realm="camera", nonce="n0nce", qop="auth", algorithm={algorithm}'
        await plain(b"", "401 Unauthorized", WWW_Authenticate=challenge)(camera, asked, writer)

    return answer


@asynccontextmanager
async def serving(answer: Answer) -> AsyncGenerator[Camera, None]:
    """It runs while the body does. An answer that raises ConnectionError cuts the connection."""
    camera = Camera(answer)
    busy: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                pairs = (line.split(": ", 1) for line in lines)
                asked = {name.lower(): value for name, value in pairs}
                asked["path"] = first.split(" ")[1]
                await reader.readexactly(int(asked.get("content-length", 0)))
                camera.requests.append(asked)
                await camera.answer(camera, asked, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            busy.discard(task)
            writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    camera.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/snapshot.jpg"
    try:
        yield camera
    finally:
        server.close()
        for task in list(busy):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*busy, return_exceptions=True)

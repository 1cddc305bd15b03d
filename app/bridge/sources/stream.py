"""RTSP and other video: a process of its own per camera gives its newest frame when one is due.

However slowly frames are judged, none waits: the process drops what nobody has asked for. It is
killed, not asked, when it is no longer wanted or no frame comes.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from ..frames import Frame
from .address import without_password
from .pacing import Pace
from .snapshot import REFUSED_AGAIN_S
from .source import SourceError
from .stream_process import AGE, HEADER, Kind, Settings

# What holds the package, in a checkout as well as installed.
_ROOT: Final = Path(__file__).parents[len(__name__.split(".")) - 1]
# A frame of 4K, at the best quality, has a tenth.
_MAX_MESSAGE: Final = 256 << 20


class Stream:
    """A camera's video.

    Attributes:
        facts: codec, width, height and fps, once it has been opened.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        every_s: float,
        timeout_s: float,
        transport: str = "tcp",
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self.name = name
        # Opening and the first frame have a time-out each.
        self.stall_s: float | None = every_s + 2 * timeout_s
        self.facts: Mapping[str, Any] = {}
        self._where = without_password(url)
        self._pace = Pace(every_s)
        self._settings = Settings(with_user(url, username, password), transport, timeout_s, every_s)
        self._process: asyncio.subprocess.Process | None = None

    def ask(self) -> None:
        """The next frame is due now."""
        self._pace.ask()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """The newest frame each time that one is due.

        Raises:
            SourceError: the camera gives none.
        """
        process = await self._started()
        try:
            while True:
                await self._pace.due()
                await self._write(process, b"n")
                yield await self._frame(process)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _started(self) -> asyncio.subprocess.Process:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.stream_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        )
        # By standard input: who lists processes sees no password.
        await self._write(process, json.dumps(asdict(self._settings)).encode() + b"\n")
        return process

    async def _write(self, process: asyncio.subprocess.Process, data: bytes) -> None:
        assert process.stdin is not None
        with suppress(ConnectionError):  # it is gone: reading tells why
            process.stdin.write(data)
            await process.stdin.drain()

    async def _frame(self, process: asyncio.subprocess.Process) -> Frame:
        while True:
            kind, body = await self._message(process)
            match kind:
                case Kind.OPENED:
                    self.facts = json.loads(body)
                case Kind.FRAME:
                    (age_s,) = AGE.unpack_from(body)
                    return Frame.now(self.name, body[AGE.size :], age_s=age_s)
                case Kind.FAULT:
                    raise self._fault(body.decode(errors="replace"))

    async def _message(self, process: asyncio.subprocess.Process) -> tuple[int, bytes]:
        assert process.stdout is not None
        try:
            kind, length = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
            if length > _MAX_MESSAGE:
                raise SourceError(f"{self._where} gives frames that are too large")
            return kind, await process.stdout.readexactly(length)
        except asyncio.IncompleteReadError as exc:
            status = await process.wait()
            raise SourceError(f"{self._where}: the process that reads it ended ({status})") from exc

    def _fault(self, text: str) -> SourceError:
        refused = "401" in text or "403" in text or "nauthorized" in text or "orbidden" in text
        if refused:
            return SourceError(
                f"{self._where} refuses the user name or the password: set username and "
                "password_file of the camera",
                again_s=REFUSED_AGAIN_S,
            )
        return SourceError(f"{self._where} {text}")


def with_user(url: str, username: str | None, password: str | None) -> str:
    """The URL with a user in it, as FFmpeg takes one; as it is where none is given."""
    if username is None:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{quote(username, safe='')}:{quote(password or '', safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{host}"))

"""A camera that names the URL of its snapshots itself (ONVIF's GetSnapshotUri).

Needs the extra `onvif`. What speaks SOAP reads its descriptions from the disk and computes; that
happens on a thread, once each time that the camera is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

from onvif import ONVIFCamera

from ...core.crew import beside
from ..frames import Frame
from .snapshot import REFUSED_AGAIN_S, Snapshot
from .source import SourceError


class Onvif:
    """The first profile's snapshots, which is a camera's best one as a rule."""

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        every_s: float,
        timeout_s: float,
        max_bytes: int,
        username: str,
        password: str,
        verify_tls: bool = True,
    ) -> None:
        self.name, self._host, self._port = name, host, port
        self.stall_s: float | None = every_s + 4 * timeout_s
        self._user, self._password, self._timeout_s = username, password, timeout_s
        self._snapshot = partial(
            Snapshot,
            name,
            every_s=every_s,
            timeout_s=timeout_s,
            max_bytes=max_bytes,
            username=username or None,
            password=password or None,
            verify_tls=verify_tls,
        )
        self._open: Snapshot | None = None

    def ask(self) -> None:
        """The next photo is due now."""
        if self._open is not None:
            self._open.ask()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """As of the snapshot URL that the camera names.

        Raises:
            SourceError: it names none, or that gives no photo.
        """
        self._open = self._snapshot(await self._address())
        frames = self._open.frames()
        try:
            async for frame in frames:
                yield frame
        finally:
            await frames.aclose()

    async def _address(self) -> str:
        where = f"the ONVIF camera {self._host}:{self._port}"
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                found = await beside(lambda: asyncio.run(self._ask_for_address()), "onvif")
        except TimeoutError as exc:
            raise SourceError(f"{where} did not answer in time") from exc
        except Exception as exc:  # of zeep, aiohttp and lxml, which know many
            text = str(exc) or type(exc).__name__
            if "not authorized" in text.lower() or "401" in text:
                raise SourceError(
                    f"{where} refuses the user name or the password: set username and "
                    "password_file of the camera",
                    again_s=REFUSED_AGAIN_S,
                ) from exc
            raise SourceError(f"{where} cannot be asked: {text}") from exc
        if not found:
            raise SourceError(f"{where} names no snapshot URL: name its RTSP stream as the source")
        return found

    async def _ask_for_address(self) -> str:
        camera = ONVIFCamera(self._host, self._port, self._user, self._password)
        try:
            await camera.update_xaddrs()
            media = await camera.create_media_service()
            profiles = await media.GetProfiles()
            answer = await media.GetSnapshotUri({"ProfileToken": profiles[0].token})
            return str(answer.Uri or "")
        finally:
            await camera.close()

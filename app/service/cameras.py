"""The cameras that requests may name; a changed file of cameras is taken up without a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from ..core.errors import CameraUnavailable, UnknownCamera
from ..core.files import read_at_most, shown
from ..core.lookout import Lookout
from .cameras_file import Camera, CamerasError, Contents, fingerprint, read_cameras

log = structlog.get_logger()

_MAX_BYTES = 1 << 20  # thousands of cameras


class Cameras:
    """The cameras of the file, and those of before while it cannot be read.

    A camera with a fault is told of, here in the log and to whoever names it; all others serve, and
    so does the service where the whole file has one. The event loop alone asks it.
    """

    def __init__(
        self, path: Path | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Takes GOODSGUARD_CAMERAS, and a monotonic clock in seconds."""
        self._path = path
        self._lookout = Lookout(self._look, "cameras", clock=clock)
        self._content: bytes | str = ""  # or why there is none
        self._contents: Contents | None = None  # until the file could be read once
        self._fault: str | None = None  # of the whole file, as of the last look
        if path is not None:
            self._look()

    @property
    def names(self) -> list[str]:
        """Of all cameras, those with a fault included."""
        return sorted(map(shown, self._contents.cameras if self._contents else ()))

    @property
    def known(self) -> dict[str, str | None]:
        """All cameras by name, with the fault of those that have one."""
        cameras = self._contents.cameras if self._contents else {}
        return {name: one if isinstance(one, str) else None for name, one in cameras.items()}

    @property
    def fault(self) -> str | None:
        """Why the file as a whole cannot be used; None: it can, or there is none."""
        return self._fault

    def find(self, name: str) -> Camera:
        """A camera, as of the last look at the file.

        Raises:
            UnknownCamera: there is none of that name.
            CameraUnavailable: it has a fault, or the whole file.
        """
        if self._path is None:
            raise UnknownCamera("no cameras are set up here (GOODSGUARD_CAMERAS)")
        if self._contents is None:
            raise CameraUnavailable(self._fault or "the cameras file has not been read yet")
        found = self._contents.cameras.get(name)
        if found is None:
            there = ", ".join(self.names) or "none"
            raise UnknownCamera(f"no camera of that name; there are: {there}")
        if isinstance(found, str):
            raise CameraUnavailable(f"the camera {shown(name)} is not set up rightly: {found}")
        return found

    async def refresh(self, *, now: bool = False) -> None:
        """Look at the file and its masks beside the loop, where that is due, and wait for it.

        Args:
            now: however lately that was done.
        """
        if self._path is not None:
            await self._lookout.refresh(now=now)

    def _look(self) -> None:
        assert self._path is not None
        content = _content_of(self._path)
        # The content decides, as it does for the file of keys.
        if content == self._content and (self._fault is not None or not self._masks_changed()):
            return
        self._content = content
        try:
            if isinstance(content, str):
                raise CamerasError(content)
            self._take_up(read_cameras(content, self._path.parent))
            self._fault = None
        except CamerasError as exc:
            self._fault = str(exc)
            log.error("the cameras stay as they were", reason=self._fault)

    def _masks_changed(self) -> bool:
        masks = self._contents.masks if self._contents else {}
        return any(fingerprint(path) != before for path, before in masks.items())

    def _take_up(self, contents: Contents) -> None:
        self._contents = contents
        log.info("cameras read from their file", names=self.names)
        for name, found in contents.cameras.items():
            if isinstance(found, str):
                log.error("a camera cannot be used", camera=shown(name), reason=found)


def _content_of(path: Path) -> bytes | str:
    """The file's bytes, or why they cannot be read."""
    try:
        content = read_at_most(path, _MAX_BYTES)
    except OSError as exc:
        return f"the cameras file cannot be read: {exc.strerror}"
    if len(content) > _MAX_BYTES:
        return f"the cameras file has more than {_MAX_BYTES:,} bytes"
    return content

"""Photos that appear in a folder; each is moved to `done` or `failed` in it once it was judged.

A file lies in the folder until then: a process that is killed finds it again, and no photo is lost.
watchfiles wakes us up; what there is to take is read from the folder itself, so that an event that
never came, as happens on network mounts, costs seconds and no photo.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from ...core.crew import beside
from ...core.files import read_at_most, shown
from ..frames import Frame, kind_of
from .mounts import is_on_network
from .settling import PATIENCE_S, STILL_S, Settling, has_end
from .source import SourceError

log = structlog.get_logger()

ENDINGS: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"}
)
DONE, FAILED = "done", "failed"
# Looks while a file is being written, and while nothing happens.
_SOON_S, _LATER_S = 0.25, 5.0
_POLL_MS = 1000


@dataclass(frozen=True)
class _Ready:
    """A file that is written."""

    path: Path
    size: int
    mtime: float
    whole: bool


class Folder:
    """A folder that a camera, a till or a person puts photos into."""

    stall_s: float | None = None

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        max_bytes: int,
        poll: bool | None = None,
        delete_done: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes the camera's name, and whether to look regularly instead of being told by the
        system; None: on network mounts. With `delete_done` no judged photo is kept."""
        self.name, self._folder = name, folder
        self._max_bytes, self._poll, self._delete_done = max_bytes, poll, delete_done
        self._settling = Settling(clock)
        self._in_hand: set[str] = set()
        self._unsettled = False

    def ask(self) -> None:
        """Files come when they come."""

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Each file, the oldest first, once its writing has ended.

        Raises:
            SourceError: there is no such folder, or files cannot be moved within it.
        """
        poll = await beside(self._prepare, "folder")
        stop, wake = asyncio.Event(), asyncio.Event()
        watching = asyncio.create_task(self._watch(poll, stop, wake))
        try:
            while True:
                wake.clear()
                for ready in await beside(self._ready, "folder"):
                    if (frame := await self._taken(ready)) is not None:
                        yield frame
                if watching.done():
                    watching.result()
                    raise SourceError(f"the folder {shown(self._folder)} is not watched any more")
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), _SOON_S if self._unsettled else _LATER_S)
        finally:
            stop.set()
            watching.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await watching

    async def _watch(self, poll: bool, stop: asyncio.Event, wake: asyncio.Event) -> None:
        from watchfiles import awatch  # loaded only where a folder is watched

        changes = awatch(
            self._folder,
            watch_filter=None,
            debounce=50,
            step=20,
            stop_event=stop,
            recursive=False,
            force_polling=poll or None,
            poll_delay_ms=_POLL_MS,
        )
        async for _ in changes:
            wake.set()

    def _prepare(self) -> bool:
        """Make what is needed; whether to poll."""
        folder = shown(self._folder)
        if not self._folder.is_dir():
            raise SourceError(f"there is no folder {folder}: make it, or mount it")
        try:
            for name in (DONE, FAILED):
                (self._folder / name).mkdir(exist_ok=True)
                if not os.access(self._folder / name, os.W_OK | os.X_OK):
                    raise PermissionError(13, "Permission denied")
        except OSError as exc:
            raise SourceError(
                f"photos cannot be moved within {folder} ({exc.strerror}): let us write there"
            ) from exc
        return is_on_network(self._folder) if self._poll is None else self._poll

    def _ready(self) -> list[_Ready]:
        """Files whose writing has ended, the oldest first."""
        ready, names, self._unsettled = [], [], False
        try:
            entries = list(os.scandir(self._folder))
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise SourceError(f"{shown(self._folder)} cannot be listed: {why}") from exc
        for entry in entries:
            if entry.name.startswith(".") or Path(entry.name).suffix.lower() not in ENDINGS:
                continue
            names.append(entry.name)
            if entry.name in self._in_hand:
                continue
            with suppress(OSError):  # gone, or not ours to read yet: looked at again
                if entry.is_file() and (found := self._written(Path(entry.path))) is not None:
                    ready.append(found)
                    continue
            self._unsettled = True
        self._settling.forget_but(names)
        return sorted(ready, key=lambda file: (file.mtime, file.path.name))

    def _written(self, path: Path) -> _Ready | None:
        status = path.stat()
        quiet_s = self._settling.quiet_s(path.name, status)
        if quiet_s < STILL_S:
            return None
        whole = status.st_size > 0 and has_end(path, status.st_size)
        if not whole and quiet_s < PATIENCE_S:
            return None
        return _Ready(path, status.st_size, status.st_mtime, whole)

    async def _taken(self, ready: _Ready) -> Frame | None:
        """The frame of a file; None where the file is no photo, and set aside."""
        try:
            data = await beside(partial(read_at_most, ready.path, self._max_bytes), "folder")
        except OSError:
            return None  # taken away meanwhile, or looked at again
        why = ""
        if len(data) > self._max_bytes:
            why = f"has more than {self._max_bytes:,} bytes"
        elif not kind_of(data):
            why = "is empty" if not data else "is no photo"
        self._in_hand.add(ready.path.name)
        if why:
            log.warning("a file is set aside", camera=self.name, file=shown(ready.path), why=why)
            await self._settle(ready.path, False)
            return None
        return Frame.now(
            self.name,
            data,
            age_s=max(0.0, time.time() - ready.mtime),
            fields={"file": shown(ready.path.name)},
            done=partial(self._settle, ready.path),
        )

    async def _settle(self, path: Path, judged: bool) -> None:
        """Move it out of the way, for good.

        Raises:
            SourceError: it cannot be moved: it would be judged again and again.
        """
        if path.name not in self._in_hand:
            return
        try:
            await beside(partial(self._move, path, judged), "folder")
        except FileNotFoundError:
            pass  # somebody else took it away
        except OSError as exc:
            raise SourceError(
                f"{shown(path)} cannot be moved to {DONE if judged else FAILED}: {exc.strerror}"
            ) from exc
        self._in_hand.discard(path.name)

    def _move(self, path: Path, judged: bool) -> None:
        if judged and self._delete_done:
            path.unlink()
            return
        target = path.parent / (DONE if judged else FAILED) / path.name
        number = 1
        while target.exists():
            number += 1
            target = target.with_name(f"{path.stem}-{number}{path.suffix}")
        path.rename(target)

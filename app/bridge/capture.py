"""`--capture`: photos for `train/good`, spread over the day, near-duplicates left out.

Nothing is judged. Of a camera that can be looked at, only a scene that is still counts: a hand
before the shelf is no good photo of the goods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from ..core.crew import beside
from .collection import Collection
from .config import Camera, Config, Motion
from .frames import Frame
from .small_grey import NotAPhoto
from .sources.making import make_source
from .supervising import Supervisor
from .triggers.every import Every
from .triggers.hours import Hours
from .triggers.motion import Motion as StillScene

_TELL_EVERY_S: Final = 60.0
_NEVER: Final = float("inf")


class Capture:
    """Collects until each category has its photos."""

    def __init__(self, config: Config, tell: Callable[[str], None]) -> None:
        """`tell` is given lines for people."""
        self._config, self._tell = config, tell
        self._full = asyncio.Event()
        self.collections: dict[str, Collection] = {}

    async def run(self) -> None:
        """Until all photos that are asked for are there.

        Raises:
            OSError: a folder cannot be made or listed.
        """
        cameras = [camera for camera in self._config.cameras if self._has_category(camera)]
        settings = self._config.capture
        for category in sorted({name for camera in cameras for name in camera.category}):
            self.collections[category] = await beside(
                partial(
                    Collection.opened, settings.folder, category, settings.photos, settings.alpha
                ),
                "collection",
            )
        self._note()
        running = [
            asyncio.create_task(work)
            for work in (*(self._follow(camera) for camera in cameras), self._tell_often())
        ]
        try:
            if cameras:
                await self._full.wait()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for line in self.told():
            self._tell(line)

    def told(self) -> list[str]:
        """A line a category."""
        return [collection.told() for collection in self.collections.values()]

    def _has_category(self, camera: Camera) -> bool:
        if not camera.category:
            self._tell(f"camera {camera.name}: give it a category: its photos are sorted by that")
        return bool(camera.category)

    def _note(self) -> None:
        if all(collection.is_full for collection in self.collections.values()):
            self._full.set()

    async def _tell_often(self) -> None:
        while True:
            for line in self.told():
                self._tell(line)
            await asyncio.sleep(_TELL_EVERY_S)

    async def _follow(self, camera: Camera) -> None:
        looks = camera.address.kind in ("stream", "snapshot", "onvif")
        if looks:  # often enough to see whether the scene is still
            camera = camera.model_copy(update={"motion": camera.motion or Motion()})
        taking = _Taking(self, camera, beat_s(camera, self._config) if looks else 0.0)
        supervisor = Supervisor(camera.name, lambda: make_source(camera, self._config), taking.take)
        task = asyncio.create_task(supervisor.run())
        told = ""
        try:
            while True:
                if supervisor.standing.reason != told:
                    told = supervisor.standing.reason
                    self._tell(f"camera {camera.name}: {told or 'gives photos again'}")
                await asyncio.sleep(1.0)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def keep(self, camera: Camera, frame: Frame) -> None:
        """Put a photo where it belongs."""
        for category in camera.category:
            collection = self.collections[category]
            if collection.is_full:
                continue
            try:
                await beside(partial(collection.add, frame), "collection")
            except NotAPhoto as exc:
                self._tell(f"camera {camera.name}: a photo is left out: {exc}")
            except OSError as exc:
                self._tell(f"{category}: a photo cannot be written: {exc.strerror or exc}")
        self._note()


class _Taking:
    """Which frames of one camera are kept."""

    def __init__(self, capture: Capture, camera: Camera, every_s: float) -> None:
        self._capture, self._camera = capture, camera
        self._hours = Hours(camera.opening)
        self._every = Every(every_s)
        motion = camera.motion
        self._still = StillScene(motion.share, motion.still_s, _NEVER) if motion else None

    async def take(self, frame: Frame) -> None:
        """Keep it where it is due and its scene is still."""
        if self._still is not None:
            self._still.wants(frame)
            if self._still.moving:
                return
        if self._hours.wants(frame) and self._every.wants(frame):
            await self._capture.keep(self._camera, frame)
        await frame.settle(True)


def beat_s(camera: Camera, config: Config) -> float:
    """Seconds between two photos: as asked, and never so few that all are of one morning."""
    return max(config.capture.every_s, camera.opening.seconds_a_day / config.capture.photos)

"""What decides which frames are judged, and what a camera's entry makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..config import Camera
from ..frames import Frame
from .every import Every
from .hours import Hours
from .message import Asked
from .motion import Motion


class Trigger(Protocol):
    """Is shown every frame of one camera, in order, and says which are judged."""

    def wants(self, frame: Frame) -> bool:
        """Whether it is to be judged."""
        ...


@dataclass(frozen=True)
class CameraTrigger:
    """A camera's: what somebody asks for always; else in opening hours, by motion or by time."""

    asked: Asked
    hours: Hours
    beat: Trigger | None

    @classmethod
    def of(cls, camera: Camera) -> CameraTrigger:
        """By its entry. Photos that come by themselves, from a folder or a message, are each
        judged: somebody has chosen them."""
        beat: Trigger | None = None
        if camera.motion is not None:
            beat = Motion(camera.motion.share, camera.motion.still_s, camera.every_s)
        elif camera.address.kind in ("stream", "snapshot", "onvif"):
            beat = Every(camera.every_s)
        return cls(Asked(), Hours(camera.opening), beat)

    def wants(self, frame: Frame) -> bool:
        """Whether it is to be judged. `Motion` decodes it small, which takes milliseconds."""
        asked = self.asked.wants(frame)
        if not self.hours.wants(frame):
            return asked
        return (self.beat is None or self.beat.wants(frame)) or asked

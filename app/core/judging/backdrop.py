"""What an anomaly map is drawn on: the photo as it was decoded, kept until then.

The photo is decoded once, at the scale that its score asks for, and its overlay is drawn on that
picture: so a score is the same, bit for bit, whether the overlay is wanted or not. A JPEG may have
been decoded at a half, a quarter or an eighth of its size (`Preprocess.draft_margin`); the overlay
is then no larger than what was decoded, which presets with maps keep at 512 pixels a side or more.
A second decode, for up to 1024, would cost as much as the first and show the same few cells.
"""

from __future__ import annotations

from PIL import Image

from ..photo.images import IN_WORK

# Overlays of larger photos are reduced to this side: a screen shows no more.
OVERLAY_SIDE = 1024


class Backdrop:
    """A picture that waits to be drawn on, at most 1024 pixels a side.

    It counts among the pixels in work (`IN_WORK`) until it is released, and must be, whatever
    happens to its photo: others wait for the room.
    """

    def __init__(self, picture: Image.Image) -> None:
        """Waits for room; `picture` is from `reduced`."""
        self._picture: Image.Image | None = picture
        self._share = IN_WORK.take(picture.width * picture.height)

    @property
    def picture(self) -> Image.Image | None:
        """Mode RGB, upright; None once it is released."""
        return self._picture

    def release(self) -> None:
        """Let go of the picture, whoever else still holds this object; on any thread."""
        self._picture = None
        self._share.give_back()


def reduced(rgb: Image.Image) -> Image.Image:
    """A decoded photo at the size of its overlay: itself where it is small enough."""
    shrink = min(1.0, OVERLAY_SIDE / max(rgb.size))
    if shrink == 1.0:
        return rgb
    size = max(1, round(rgb.width * shrink)), max(1, round(rgb.height * shrink))
    return rgb.resize(size, Image.Resampling.BILINEAR)

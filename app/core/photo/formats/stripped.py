"""What every format's reader answers, and what they share: the limits on size, the errors."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from ...errors import CorruptImage, TooManyPixels, UnsupportedImage

# A photo of goods is never that narrow, and a resize of its shorter side would be as large as the
# longer one asks: 60,000 × 1 pixels in 100 bytes became 15 GB.
MAX_RATIO = 100


@dataclass(frozen=True, slots=True)
class Stripped:
    """A file that holds one picture and nothing else.

    Attributes:
        data: what the decoder is given.
        width, height: pixels as stored, before the orientation is applied.
        orientation: EXIF's, 1 to 8.
        scans: how often the decoder goes over the pixels (progressive JPEG).
        bits: of a colour of a pixel, as far as more than 8 are possible.
        components: colours of a JPEG: grey has 1, ink 4.
        ended: whether a JPEG had its end mark.
    """

    data: bytes
    width: int
    height: int
    orientation: int = 1
    scans: int = 1
    bits: int = 8
    components: int = 3
    ended: bool = True


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Called with the header's size, before anything else of the file is looked at.

    Raises:
        TooManyPixels, UnsupportedImage, CorruptImage.
    """
    size = f"{width} × {height}"
    if width * height > max_pixels:
        raise TooManyPixels(f"the image has {size} pixels, more than the limit of {max_pixels:,}")
    if width < 1 or height < 1:
        raise CorruptImage("the image has no pixels")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise UnsupportedImage(f"the image is too narrow: {size} pixels")


def cut_short(what: str) -> CorruptImage:
    """The error for a file that ends too early."""
    return CorruptImage(f"the image is broken or cut short: its {what} is incomplete")


def unpack(layout: str, data: bytes, offset: int, what: str) -> tuple[Any, ...]:
    """`struct.unpack_from`.

    Raises:
        CorruptImage: the file ends before.
    """
    try:
        return struct.unpack_from(layout, data, offset)
    except struct.error as exc:
        raise cut_short(what) from exc

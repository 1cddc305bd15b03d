"""Small pictures of our own as JPEG: written, and read again with distrust.

They lie in banks, and a bank comes from wherever its file comes from. What is written here has one
scan, so that what has more is none of ours, and costs nothing to refuse.
"""

from __future__ import annotations

import numpy as np
import simplejpeg
from PIL import Image

from ..arrays import Pixels
from ..errors import CorruptImage
from .formats import Stripped
from .formats.jpeg import strip
from .jpeg_pixels import decode_jpeg

QUALITY = 75


def encoded(pixels: Pixels, quality: int = QUALITY) -> bytes:
    """(H, W, 3) uint8 -> a JPEG."""
    return bytes(
        simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality=quality, colorsubsampling="420"
        )
    )


def checked(data: bytes, max_pixels: int) -> Stripped:
    """A file as `encoded` makes it, its structure gone through; no pixel is decoded.

    Raises:
        ImageError: it is none, or larger.
    """
    file = strip(data, max_pixels)
    if file.scans != 1 or file.components != 3 or file.orientation != 1:
        raise CorruptImage("it is no picture that a bank holds")
    return file


def decoded(data: bytes, max_pixels: int) -> Image.Image:
    """Its pixels, RGB.

    Raises:
        ImageError: it is none, is larger, or is broken.
    """
    return decode_jpeg(checked(data, max_pixels), None)

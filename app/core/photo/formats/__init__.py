"""An uploaded file -> the same picture with nothing in it but what decides its pixels.

The decoders are written for friendly files: Pillow walks a million empty JPEG segments in Python,
joins EXIF pieces in quadratic time, decodes RLE bitmaps byte by byte and unpacks every tag it is
asked for. So the container is read here first, in a bounded number of steps, and written anew with
the first frame alone. Text, profiles, thumbnails, further frames and whatever follows the picture
never reach a decoder; the EXIF orientation is read on the way.

What a file may hold, and why no photo comes near it, stands at the top of each module.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import UnsupportedImage
from . import bmp, jpeg, kinds, png, tiff, webp
from .stripped import Stripped

__all__ = ["FORMATS", "Stripped", "strip"]

_STRIP: dict[str, Callable[[bytes, int], Stripped]] = {
    "JPEG": jpeg.strip,
    "PNG": png.strip,
    "BMP": bmp.strip,
    "WEBP": webp.strip,
    "TIFF": tiff.strip,
}
FORMATS = tuple(_STRIP)
HEAD = 32  # bytes of a file that `may_be_deep` looks at


def strip(data: bytes, max_pixels: int) -> tuple[str, Stripped]:
    """The format by the content, and the file rewritten.

    Raises:
        NotAnImage, UnsupportedImage, CorruptImage, TooManyPixels.
    """
    name = _recognise(data)
    return name, _STRIP[name](data, max_pixels)


def may_be_deep(head: bytes) -> bool:
    """Whether a file that starts like this may have more than 8 bits: PNG says so, TIFF later."""
    if head.startswith(png.SIGNATURE):
        return head[24:25] == b"\x10"
    return head.startswith((b"II*\0", b"MM\0*"))


def _recognise(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(png.SIGNATURE):
        return "PNG"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    if data.startswith((b"II+\0", b"MM\0+")):
        raise UnsupportedImage("BigTIFF is not supported; save the photo as an ordinary TIFF")
    raise kinds.refusal(data, FORMATS)

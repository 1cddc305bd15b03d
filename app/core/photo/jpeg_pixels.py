"""A stripped JPEG -> its pixels, by libjpeg-turbo, whose remarks are heard.

libjpeg repairs what it can: it fills what is missing with grey and says so in a warning, which
Pillow swallows. Here such a photo is damaged. `formats/jpeg.py` has put right what libjpeg warns of
without need, and what is left is damage, but for one thing: zeros between a scan and its end, which
some cameras write.

What no decoder can tell: damage after which the data still reads as a picture. One wrong bit often
shifts the rest of the photo, and often something is then missing or left over at the end; not
always. Restart marks narrow it down, checksums as in PNG tell for certain.

The pixels are, bit for bit, those that Pillow makes of the file with the same libjpeg-turbo.
"""

from __future__ import annotations

import io
import re

import numpy as np
import simplejpeg
from PIL import Image, JpegImagePlugin

from ..errors import CorruptImage
from .formats import Stripped
from .formats.jpeg import without_padding

_GREY, _INK = 1, 4
_COLOUR_SPACES = {_GREY: "GRAY", 3: "RGB", _INK: "CMYK"}
_SCALES = (8, 4, 2)

# TurboJPEG names the usual samplings only; others are decoded by Pillow, without a word on damage.
_UNUSUAL = "subsampling"
_LEFT_OVER = re.compile(r"\d+ extraneous bytes before marker")


def decode_jpeg(file: Stripped, at_least: tuple[int, int] | None) -> Image.Image:
    """The picture as stored, mode L, RGB or CMYK.

    Args:
        at_least: (width, height), as stored, that suffice: the picture may then be decoded at 1/2,
            1/4 or 1/8 of its size, as long as neither side falls below. Never so in CMYK.

    Raises:
        CorruptImage: libjpeg cannot decode it, or had to fill something in.
    """
    scale = _scale(file, at_least)
    try:
        return _decode(file, file.data, scale)
    except ValueError as exc:
        reason = str(exc)
    if _UNUSUAL in reason:
        return _by_pillow(file, scale)
    if _LEFT_OVER.search(reason):
        try:
            return _decode(file, without_padding(file.data), scale)
        except ValueError:
            pass  # more than padding: the first reason tells it
    raise CorruptImage(f"the image is broken or cut short: {_in_words(reason)}")


def _scale(file: Stripped, at_least: tuple[int, int] | None) -> int:
    """Pillow's rule (`draft`), by which banks were built."""
    if at_least is None or file.components == _INK:
        return 1
    fits = min(file.width // at_least[0], file.height // at_least[1])
    return next((scale for scale in _SCALES if scale <= fits), 1)


def _decode(file: Stripped, data: bytes, scale: int) -> Image.Image:
    # libjpeg rounds up. It knows other scales, too: of those that are large enough it takes the
    # smallest, which is the one that is asked for here.
    width, height = -(-file.width // scale), -(-file.height // scale)
    least = {} if scale == 1 else {"min_width": width, "min_height": height}
    pixels = simplejpeg.decode_jpeg(data, _COLOUR_SPACES[file.components], **least)
    if pixels.shape[:2] != (height, width):
        raise CorruptImage("the image's header contradicts itself")
    if file.components == _GREY:
        return Image.fromarray(pixels[..., 0])
    if file.components == _INK:  # written inverted, as Adobe does
        return Image.frombytes("CMYK", (width, height), np.invert(pixels).tobytes())
    return Image.fromarray(pixels)


def _by_pillow(file: Stripped, scale: int) -> Image.Image:
    if not file.ended:
        raise CorruptImage("the image is broken or cut short: its end is missing")
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(file.data))
    if scale > 1:
        image.draft(None, (file.width // scale, file.height // scale))
    image.load()
    return image


def _in_words(reason: str) -> str:
    """libjpeg's remark without the name of the function."""
    reason = reason.removeprefix("Corrupt JPEG data: ").rsplit("): ")[-1]
    return reason.replace("/", " or ") or "it cannot be decoded"

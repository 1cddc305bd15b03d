"""Any pixel type -> 8-bit RGB, in one documented way.

    1, L, P, RGB, YCbCr, HSV   Pillow's own conversion
    LA, PA, RGBA, La, RGBa, and any image with a transparent colour
                               composited on white: a cut-out product stands on white paper
    CMYK                       Pillow's conversion (Adobe's inverted JPEGs included)
    I;16 (16-bit grey)         value · 255 / white level, rounded; what is above it is white, and
                               where that is more than 1 % of the pixels, the photo is refused
    I (32-bit grey)            as 16-bit where no value exceeds 65,535, else refused
    16-bit RGB, RGBA, CMYK, grey with alpha
                               the same; at a white level of 65,535 the decoder's 8 high bits
    F, LAB, anything else      refused: their value range is not defined by the file

The white level is the value of a 16-bit photo that is white. Cameras of 10, 12 or 14 bits write
their values into 16 as they are, and no field of the file says so; a bank's feature spec does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from ..errors import UnsupportedImage
from . import sixteen_bits

FULL_WHITE = 65_535

# Pixels converted at a time: a conversion may need many times the memory of its result.
_BAND = 1 << 20

# The share of a photo's pixels that may lie above the white level.
_HOT = 0.01

_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "YCbCr", "HSV", "CMYK", "RGBX"})
_ALPHA_MODES = frozenset({"LA", "PA", "RGBA", "La", "RGBa"})
GREY_16_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})


def to_rgb(image: Image.Image, white_level: int = FULL_WHITE) -> Image.Image:
    """Convert any supported pixel type to 8-bit RGB by the table at the top of this file.

    Raises:
        UnsupportedImage: the pixel type has no defined range.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    rgb = Image.new("RGB", image.size)
    rows = max(1, _BAND // image.width)
    beyond = _Beyond(white_level, image.width * image.height)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        if image.mode in GREY_16_MODES:
            beyond.look_at(np.asarray(band)[..., None])
        rgb.paste(_band_to_rgb(band, white_level), (0, top))
    return rgb


def colours_to_rgb(read: Callable[[], ImageFile.ImageFile], white_level: int) -> Image.Image:
    """Convert 16-bit colours, or grey with alpha, with all their bits.

    Args:
        read: opens the file and loads nothing.

    Raises:
        UnsupportedImage: their low bits cannot be had.
    """
    header = read()
    mode, transparent = header.mode, header.info.get("transparency")
    rgb = Image.new("RGB", header.size)
    beyond = _Beyond(white_level, header.width * header.height)
    for top, values in sixteen_bits.bands(read):
        opaque = values.shape[-1] - (mode in _ALPHA_MODES)
        beyond.look_at(values[..., :opaque])
        scaled = _scaled(values, white_level)
        channels = scaled.shape[-1]
        if channels == 2:  # grey with alpha
            scaled, channels = scaled[..., [0, 0, 0, 1]], 4
        if isinstance(transparent, tuple):
            scaled[(values == transparent).all(axis=-1)] = 255
        kind = "CMYK" if mode == "CMYK" else {3: "RGB", 4: "RGBA"}[channels]
        size = scaled.shape[1], scaled.shape[0]
        band = Image.frombytes(kind, size, np.ascontiguousarray(scaled).tobytes())
        rgb.paste(_band_to_rgb(band, white_level), (0, top))
    return rgb


class _Beyond:
    """Counts pixels above the white level: hot ones are few, a camera of more bits has many."""

    def __init__(self, white_level: int, pixels: int) -> None:
        self._white, self._most, self._found = white_level, _HOT * pixels, 0

    def look_at(self, values: npt.NDArray[Any]) -> None:
        """Take (rows, W, channels) into account, none of them alpha.

        Raises:
            UnsupportedImage: too many by now.
        """
        if self._white >= FULL_WHITE:
            return
        self._found += int((values > self._white).any(axis=-1).sum())
        if self._found > self._most:
            raise UnsupportedImage(
                f"the photo uses more than the {self._white.bit_length()} bits that this bank was "
                "built from: send it as the camera of the training photos writes it, or build the "
                "bank again"
            )


def _band_to_rgb(image: Image.Image, white_level: int) -> Image.Image:
    if image.mode in GREY_16_MODES:
        return _grey_to_rgb(image, white_level)
    if image.mode == "La":  # premultiplied grey, which Pillow converts to LA only
        image = image.convert("LA")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(paper, rgba).convert("RGB")
    if image.mode in _PLAIN_MODES:
        return image.convert("RGB")
    raise UnsupportedImage(
        f"pixel type {image.mode!r} is not supported; save the photo as 8-bit RGB or grey"
    )


def _grey_to_rgb(image: Image.Image, white_level: int) -> Image.Image:
    grey = np.asarray(image).astype(np.int64)
    if grey.min() < 0 or grey.max() > FULL_WHITE:
        raise UnsupportedImage("32-bit grey values beyond 16 bits have no defined white; use 16")
    scaled = _scaled(grey, white_level)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        scaled[grey == transparent] = 255  # on white, as all transparency
    return Image.fromarray(scaled).convert("RGB")


def _scaled(
    values: npt.NDArray[np.int64] | npt.NDArray[np.uint16], white_level: int
) -> npt.NDArray[np.uint8]:
    scaled = (values.astype(np.int64) * 255 + white_level // 2) // white_level
    return np.minimum(scaled, 255).astype(np.uint8)

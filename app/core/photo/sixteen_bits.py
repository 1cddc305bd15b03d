"""All bits of 16-bit colours, of which Pillow keeps the high 8.

What a camera of 12 bits writes into 16 has its high bits empty: of Pillow's 8 bits 4 are left, 16
levels of each colour. Pillow can be told the order of the two bytes of each number, so the same
file is decoded twice, once for the high bytes and once, told the wrong order, for the low ones.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from ..errors import UnsupportedImage

Values = npt.NDArray[np.uint16]

# Rows at a time: their numbers take four times the memory of the rows.
BAND = 1 << 20

_NATIVE = "L" if sys.byteorder == "little" else "B"
_SWAPPED = {"L": "B", "B": "L", "N": "B" if _NATIVE == "L" else "L"}
# Pillow's name for how a file's pixels lie, with both bytes of each number.
_COLOURS = re.compile(r"(RGB|RGBA|RGBX|CMYK);16([LBN])")
_GREY_WITH_ALPHA = "LA;16B"


def bands(read: Callable[[], ImageFile.ImageFile]) -> Iterator[tuple[int, Values]]:
    """The picture from top to bottom: the first row's number, and (rows, W, channels) uint16.

    Args:
        read: opens the file and loads nothing.

    Raises:
        UnsupportedImage: 16 bits of a kind whose low bytes Pillow does not give.
    """
    high = read()
    if _layout(high) == _GREY_WITH_ALPHA:  # four bytes, as red, green, blue and alpha have
        _lay_out(high, lambda _: "RGBA")
        high.load()
        for top, rows in _rows(high):
            yield top, rows[..., 0::2] * np.uint16(256) + rows[..., 1::2]
        return
    low = read()
    _lay_out(low, _other_order)
    high.load()
    low.load()
    for (top, upper), (_, lower) in zip(_rows(high), _rows(low), strict=True):
        yield top, upper * np.uint16(256) + lower


def _layout(image: ImageFile.ImageFile) -> str:
    args: Any = image.tile[0].args
    return str(args if isinstance(args, str) else args[0])


def _lay_out(image: ImageFile.ImageFile, change: Callable[[str], str]) -> None:
    new, tiles = change(_layout(image)), []
    for tile in image.tile:
        args: Any = tile.args
        tiles.append(tile._replace(args=new if isinstance(args, str) else (new, *args[1:])))
    image.tile = tiles


def _other_order(layout: str) -> str:
    found = _COLOURS.fullmatch(layout)
    if found is None:
        raise UnsupportedImage(
            "16-bit colour of this kind is not read in full; save the photo as 16-bit grey, or as "
            "8-bit RGB, scaled so that white is 255"
        )
    return f"{found[1]};16{_SWAPPED[found[2]]}"


def _rows(image: Image.Image) -> Iterator[tuple[int, Values]]:
    step = max(1, BAND // image.width)
    for top in range(0, image.height, step):
        band = image.crop((0, top, image.width, min(top + step, image.height)))
        yield top, np.asarray(band).astype(np.uint16)

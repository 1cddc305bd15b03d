"""A photo -> a small grey picture: what moves in it, and what it resembles.

A JPEG is decoded at an eighth of its size, as its format allows: milliseconds for any camera's.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

Grey = npt.NDArray[np.float32]

# As many places in each direction: small enough that noise is averaged out, fine enough that an
# item that takes a thirtieth of the photo's width fills one.
SIDE: Final = 48
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
# As the service's limit: a file that announces more is not decoded.
_MAX_PIXELS = 64_000_000


class NotAPhoto(Exception):
    """The bytes cannot be decoded; the text says why."""


def small_grey(data: bytes) -> Grey:
    """(SIDE, SIDE) float32, 0 to 255, the whole photo squashed to a square.

    Raises:
        NotAPhoto.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow: pixels by the million, odd metadata
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise NotAPhoto(f"it has more than {_MAX_PIXELS:,} pixels")
                image.draft("L", (2 * SIDE, 2 * SIDE))
                grey = image.convert("L")
                small = grey.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    except (OSError, ValueError, SyntaxError, ArithmeticError, Image.DecompressionBombError) as exc:
        raise NotAPhoto(f"it cannot be decoded: {exc}") from exc
    return np.asarray(small, dtype=np.float32)


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height, from the header.

    Raises:
        NotAPhoto.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise NotAPhoto(f"it cannot be read: {exc}") from exc


def changed(one: Grey, other: Grey, by: float) -> float:
    """The share of places that differ by more than `by` grey values once both are equally bright:
    a lamp, or the camera's own exposure, moves nothing."""
    difference = one - other
    return float((np.abs(difference - np.median(difference)) > by).mean())

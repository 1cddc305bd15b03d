"""Pixel masks: which pixels a file marks, however it says so.

A pixel is marked where the mask is not black: 255 and 1 mark, palettes, 1 bit and 16 bits do, and
so does each of several grey values for several kinds of damage. Noise is no mark: in a JPEG, and in
a file with many grey values up to the brightest (its edges were smoothed, or it was a JPEG once),
what is brighter than half the brightest value counts.

A mask with transparency stands on black. Where nothing shows then, the opaque part is the mask.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import MaskError
from .images import decode
from .listing import photos_below

Marks = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]  # of any number type

_FEW = 8  # grey values; labels are few, what smoothing and JPEG leave are many
_NOISE = 32  # of 255: a JPEG without a mark is not all black
_CHUNK = 1 << 20


def read_mask(path: Path, size: tuple[int, int]) -> Marks:
    """(h, w) bool, True on the defect, as large as the mask's file.

    Args:
        path: a file, or a folder of files whose marks are united (MVTec LOCO).
        size: (width, height) of the photo, upright; the mask has it or is a scaled copy.

    Raises:
        ImageError, OSError: a file cannot be read.
        MaskError: another shape than the photo, or nothing is marked.
    """
    files = photos_below(path).photos if path.is_dir() else [path]
    united: Marks | None = None
    for file in files:
        marks = marked_in(file)
        width, height = marks.shape[1], marks.shape[0]
        if abs(width * size[1] - height * size[0]) > sum(size) or (
            united is not None and united.shape != marks.shape
        ):
            raise MaskError("{} × {} pixels, its photo {} × {}".format(width, height, *size))
        united = marks if united is None else united | marks
    if united is None or not united.any():
        raise MaskError("nothing is marked")
    return united


def marked_in(file: Path) -> Marks:
    """(h, w) bool: what one file marks, be it nothing.

    Raises:
        ImageError, OSError: it cannot be read.
    """
    return marks_of(file.read_bytes())


def marks_of(data: bytes) -> Marks:
    """The same of a file's bytes.

    Raises:
        ImageError: it cannot be read.
    """
    return np.asarray(decode(data, convert=_marked).rgb, dtype=np.uint8) > 0


def _marked(image: Image.Image, kind: str) -> Image.Image:
    """The stored pixels -> mode L, 255 where marked."""
    values = _values(image)
    brightest = values.max()
    full = 65_535 if values.dtype.itemsize > 1 else 255
    smooth = brightest > full / 2 and _levels(values) > _FEW
    noisy = kind == "JPEG" or smooth
    least = max(brightest / 2, _NOISE) if noisy else 0
    return Image.fromarray((values > least).astype(np.uint8) * 255)


def _values(image: Image.Image) -> Values:
    """(h, w): how bright each pixel is; of a coloured one its brightest channel."""
    if image.mode.startswith(("I", "F")):
        return np.asarray(np.nan_to_num(np.asarray(image)))
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        alpha = rgba[..., 3]
        on_black = (rgba[..., :3].max(axis=-1).astype(np.uint16) * alpha // 255).astype(np.uint8)
        return np.asarray(on_black if on_black.any() or alpha.min() == 255 else alpha)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    return np.asarray(np.asarray(image.convert("RGB")).max(axis=-1))


def _levels(values: Values) -> int:
    """How many different values there are."""
    seen: set[float] = set()
    for start in range(0, values.size, _CHUNK):
        seen.update(np.unique(values.reshape(-1)[start : start + _CHUNK]).tolist())
        if len(seen) > _FEW:
            break
    return len(seen)

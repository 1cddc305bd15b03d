"""Bytes -> RGB image: the allow-list of formats and the limits.

How each pixel type becomes 8-bit RGB stands in `pixel_types.py`. The first frame of an animation or
multi-page file is taken. EXIF orientation is applied.

What one photo may cost, however its file was made, is bounded by limits rather than by a clock,
since a decoder cannot be interrupted: its bytes (the caller's), pixels, shape and scans, and of how
many pieces the file may be (`app/core/photo/formats/`). `python -m tests.torture.decoding_cost`
measures the worst of them: below 4 s and 1 GB. Decoders are chosen here by name, so that no other
of Pillow's can be reached.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    _imaging,
)

from ..arrays import Floats
from ..errors import CorruptImage, ImageError, UnsupportedImage
from .box import Box
from .formats import FORMATS, Stripped, strip
from .jpeg_pixels import decode_jpeg
from .pixel_budget import PixelBudget
from .pixel_types import FULL_WHITE, GREY_16_MODES, colours_to_rgb, to_rgb
from .sixteen_bits import BAND, bands

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "MAX_PIXELS",
    "DecodedImage",
    "decode",
    "peak",
    "reduction",
    "to_rgb",
]

_JPEG_ENDINGS = {".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp"}
EXTENSIONS = frozenset({*_JPEG_ENDINGS, ".png", ".bmp", ".webp", ".tif", ".tiff"})

# 64 megapixels: above any camera in a shop today, and 256 MB once decoded (Pillow: 4 bytes each).
MAX_PIXELS = 64_000_000

# A scan of a progressive JPEG takes a few bytes and goes over all pixels: 75 ms for 64 megapixels.
# Encoders write 10, in CMYK 18; this leaves 20 at the pixel limit (2 s), 100 at 12 megapixels.
MAX_SCANS = 100
MAX_SCANNED_PIXELS = 20 * MAX_PIXELS

# Decoding takes up to 20 bytes per pixel (WebP), most formats 8: however many threads decode, these
# many pixels at once. Pictures that wait to be drawn on (4 bytes) count, too.
IN_WORK = PixelBudget(2 * MAX_PIXELS)

# libtiff writes what is wrong with a file straight to standard error, past the log. Where it is
# inside Pillow's own library (Windows) there is no such symbol, and nothing is lost but quiet.
with suppress(OSError, AttributeError):
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)

# Pillow's own limit would only get in the way: ours is checked before Pillow sees the file.
Image.MAX_IMAGE_PIXELS = None

# (stored pixels, format) -> what stands for the picture
Convert = Callable[[Image.Image, str], Image.Image]

_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}

# EXIF orientation -> what brings the photo upright. Applied here rather than with Pillow's
# exif_transpose, which also rewrites the metadata and fails where that is broken.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = frozenset({5, 6, 7, 8})
# What 16-bit colours, and grey with alpha, are to Pillow.
_COLOUR_MODES = frozenset({"LA", "RGB", "RGBA", "CMYK"})
_COLOURS = {2: 1, 3: 3, 4: 3}  # channels -> those that are no alpha; black ink tells no more


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A photo as RGB, upright.

    Attributes:
        rgb: mode RGB; possibly a reduced decode (see `decode`'s `at_least`).
        width, height: pixels of the photo as sent, upright.
        format: one of FORMATS. mode: Pillow's, of the pixels as stored.
        window: the part that is looked at, in pixels of the photo as sent; None: all of it.
        mask: (m, n) float32 in [0, 1] over the whole photo, the share of each place that is looked
            at; None: all of it.
    """

    rgb: Image.Image
    width: int
    height: int
    format: str
    mode: str = ""
    window: Box | None = None
    mask: Floats | None = None

    @property
    def view(self) -> Box:
        """The part that is looked at, in pixels of the photo as sent."""
        return self.window or Box(0, 0, self.width, self.height)

    def within(self, shares: Box) -> DecodedImage:
        """The same photo, of which a part of the view is looked at, in shares of it."""
        return replace(self, window=self.view.part(shares))


def decode(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    at_least: tuple[int, int] | None = None,
    white_level: int = FULL_WHITE,
    convert: Convert | None = None,
) -> DecodedImage:
    """Decode an uploaded photo to upright 8-bit RGB.

    Args:
        data: the file's bytes; the content decides the format, never a name.
        max_pixels: limit on width × height, checked from the header.
        at_least: (width, height) of the upright photo that suffice; a JPEG may then be decoded
            at 1/2, 1/4 or 1/8 of its size, as long as neither side falls below.
        white_level: the value of a 16-bit photo that is white, see `pixel_types.py`.
        convert: what takes the place of `to_rgb`, for files that are no photos (masks).

    Raises:
        NotAnImage, UnsupportedImage, CorruptImage, TooManyPixels.
    """
    name, file = _stripped(data, max_pixels)
    turned = file.orientation in _SWAPS_SIDES
    if at_least is not None and turned:
        at_least = at_least[::-1]
    with IN_WORK.hold(file.width * file.height), _broken_if_it_fails():
        rgb, mode = _rgb(name, file, at_least, white_level, convert)
        if file.orientation in _UPRIGHT:
            rgb = rgb.transpose(_UPRIGHT[file.orientation])
    width, height = (file.height, file.width) if turned else (file.width, file.height)
    return DecodedImage(rgb=rgb, width=width, height=height, format=name, mode=mode)


def reduction(image: DecodedImage, at_least: tuple[int, int] | None) -> int:
    """At which part of its size `decode` takes this photo for another `at_least`: 1, 2, 4 or 8.

    Where two agree, both get the same picture.
    """
    if at_least is None or image.format != "JPEG":
        return 1
    fits = min(image.width // at_least[0], image.height // at_least[1])
    return next((scale for scale in (8, 4, 2) if fits >= scale), 1)


def peak(data: bytes, *, max_pixels: int = MAX_PIXELS) -> int | None:
    """The largest value of a photo of more than 8 bits, but for one in a thousand, since sensors
    have hot pixels; None for all others.

    Raises:
        NotAnImage, UnsupportedImage, CorruptImage, TooManyPixels.
    """
    name, file = _stripped(data, max_pixels)
    if file.bits <= 8:
        return None
    with IN_WORK.hold(file.width * file.height), _broken_if_it_fails():
        image = _opened(name, file)
        if image.mode in GREY_16_MODES:
            image.load()
            return _nearly_largest([np.asarray(image)])
        if file.bits != 16 or image.mode not in _COLOUR_MODES:
            return None
        pieces = bands(lambda: _opened(name, file))
        return _nearly_largest(rows[..., : _COLOURS[rows.shape[-1]]] for _, rows in pieces)


def _nearly_largest(pieces: Iterable[npt.NDArray[np.integer]]) -> int:
    """The value that at most one in a thousand exceeds."""
    counts = np.zeros(FULL_WHITE + 1, dtype=np.int64)
    for piece in pieces:
        flat = piece.ravel()
        for start in range(0, flat.size, BAND):  # counting takes 8 bytes each
            values = flat[start : start + BAND].clip(0, FULL_WHITE)
            counts += np.bincount(values, minlength=FULL_WHITE + 1)
    reached = np.cumsum(counts)
    return int(np.searchsorted(reached, reached[-1] - reached[-1] // 1000))


def _stripped(data: bytes, max_pixels: int) -> tuple[str, Stripped]:
    name, file = strip(data, max_pixels)
    if file.scans > min(MAX_SCANS, MAX_SCANNED_PIXELS / (file.width * file.height)):
        raise UnsupportedImage(f"the JPEG has too many scans for its size: {file.scans}")
    return name, file


@contextmanager
def _broken_if_it_fails() -> Iterator[None]:
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as exc:
        # Pillow's decoders raise a dozen types on broken files (OSError, SyntaxError,
        # struct.error, zlib.error, ...): whatever it is, the photo cannot be read.
        raise CorruptImage(f"the image is broken or cut short: {_reason(exc)}") from exc


def _rgb(
    name: str,
    file: Stripped,
    at_least: tuple[int, int] | None,
    white_level: int,
    convert: Convert | None,
) -> tuple[Image.Image, str]:
    """The picture, not turned yet, and its mode as stored."""
    if name == "JPEG":
        image = decode_jpeg(file, at_least)
        return (convert(image, name) if convert else to_rgb(image)), image.mode
    opened = _opened(name, file)
    deep = file.bits == 16 and white_level < FULL_WHITE and opened.mode in _COLOUR_MODES
    if deep and convert is None:
        return colours_to_rgb(lambda: _opened(name, file), white_level), opened.mode
    opened.load()
    return (convert(opened, name) if convert else to_rgb(opened, white_level)), opened.mode


def _opened(name: str, file: Stripped) -> ImageFile.ImageFile:
    """The file before its pixels are decoded."""
    image = _DECODERS[name](io.BytesIO(file.data))
    if image.size != (file.width, file.height):
        raise CorruptImage("the image's header contradicts itself")
    return image


def _reason(exc: Exception) -> str:
    text = str(exc).strip()
    return text if 0 < len(text) <= 120 and "/" not in text else type(exc).__name__

"""Bytes -> RGB image: the allow-list of formats, the limits, and one documented way to 8-bit RGB.

How each pixel type becomes RGB 8-bit:

    1, L, P, RGB, YCbCr, HSV   Pillow's own conversion
    LA, PA, RGBA, La, RGBa, and any image with a transparent colour
                               composited on white: a cut-out product stands on white paper
    CMYK                       Pillow's conversion (Adobe's inverted JPEGs included)
    I;16 (16-bit grey)         value / 257, rounded: the full range is scaled, never clipped
    I (32-bit grey)            as 16-bit where no value exceeds 65,535, else refused
    F, LAB, anything else      refused: their value range is not defined by the file
    16-bit RGB                 the decoder's 8 high bits

The first frame of an animation or multi-page file is taken. EXIF orientation is applied.

What one photo may cost, however its file was made, is bounded by limits rather than by a clock,
since a decoder cannot be interrupted: its bytes (the caller's), pixels, shape and scans, and of how
many pieces the file may be (`app/core/photo/formats/`). `python -m tests.torture.decoding_cost`
measures the worst of them: below 3 s and 1 GB. Decoders are chosen here by name, so that no other
of Pillow's can be reached.
"""

from __future__ import annotations

import ctypes
import io
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    _imaging,
)

from ..errors import CorruptImage, ImageError, UnsupportedImage
from .formats import FORMATS, Stripped, strip
from .jpeg_pixels import decode_jpeg
from .pixel_budget import PixelBudget

__all__ = ["EXTENSIONS", "FORMATS", "MAX_PIXELS", "DecodedImage", "decode", "to_rgb"]

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

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

_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}

# Pixels converted at a time: a conversion may need many times the memory of its result.
_BAND = 1 << 20

_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "YCbCr", "HSV", "CMYK", "RGBX"})
_ALPHA_MODES = frozenset({"LA", "PA", "RGBA", "La", "RGBa"})
_GREY_16_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
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


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A photo as RGB, upright.

    Attributes:
        rgb: mode RGB; possibly a reduced decode (see `decode`'s `at_least`).
        width, height: pixels of the photo as sent, upright.
        format: one of FORMATS.
    """

    rgb: Image.Image
    width: int
    height: int
    format: str


def decode(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    at_least: tuple[int, int] | None = None,
) -> DecodedImage:
    """Decode an uploaded photo to upright 8-bit RGB.

    Args:
        data: the file's bytes; the content decides the format, never a name.
        max_pixels: limit on width × height, checked from the header.
        at_least: (width, height) of the upright photo that suffice; a JPEG may then be decoded
            at 1/2, 1/4 or 1/8 of its size, as long as neither side falls below.

    Raises:
        NotAnImage, UnsupportedImage, CorruptImage, TooManyPixels.
    """
    name, file = strip(data, max_pixels)
    if file.scans > min(MAX_SCANS, MAX_SCANNED_PIXELS / (file.width * file.height)):
        raise UnsupportedImage(f"the JPEG has too many scans for its size: {file.scans}")
    turned = file.orientation in _SWAPS_SIDES
    with IN_WORK.hold(file.width * file.height):
        try:
            rgb = to_rgb(_load(name, file, at_least, turned=turned))
            if file.orientation in _UPRIGHT:
                rgb = rgb.transpose(_UPRIGHT[file.orientation])
        except (ImageError, MemoryError):
            raise
        except Exception as exc:
            # Pillow's decoders raise a dozen types on broken files (OSError, SyntaxError,
            # struct.error, zlib.error, ...): whatever it is, the photo cannot be read.
            raise CorruptImage(f"the image is broken or cut short: {_reason(exc)}") from exc
    width, height = (file.height, file.width) if turned else (file.width, file.height)
    return DecodedImage(rgb=rgb, width=width, height=height, format=name)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any supported pixel type to 8-bit RGB by the table at the top of this file.

    Raises:
        UnsupportedImage: the pixel type has no defined range.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    rgb = Image.new("RGB", image.size)
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        rgb.paste(_band_to_rgb(band), (0, top))
    return rgb


def _band_to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _GREY_16_MODES:
        return _scale_16_bit(image)
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


def _load(
    name: str, file: Stripped, at_least: tuple[int, int] | None, *, turned: bool
) -> Image.Image:
    if name == "JPEG":
        return decode_jpeg(file, at_least[::-1] if at_least and turned else at_least)
    image = _DECODERS[name](io.BytesIO(file.data))
    if image.size != (file.width, file.height):
        raise CorruptImage("the image's header contradicts itself")
    image.load()
    return image


def _scale_16_bit(image: Image.Image) -> Image.Image:
    grey = np.asarray(image).astype(np.int64)
    if grey.min() < 0 or grey.max() > 65_535:
        raise UnsupportedImage("32-bit grey values beyond 16 bits have no defined white; use 16")
    scaled = ((grey + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        scaled[grey == transparent] = 255  # on white, as all transparency
    return Image.fromarray(scaled).convert("RGB")


def _reason(exc: Exception) -> str:
    text = str(exc).strip()
    return text if 0 < len(text) <= 120 and "/" not in text else type(exc).__name__

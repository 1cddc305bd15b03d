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
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from app.core.errors import CorruptImage, NotAnImage, TooManyPixels, UnsupportedImage

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

# 64 megapixels: above any camera in a shop today, and 192 MB once decoded.
MAX_PIXELS = 64_000_000

# Our own limit is checked from the header before any pixel is decoded, so that Pillow's lower,
# warning-only one would only get in the way.
Image.MAX_IMAGE_PIXELS = None

_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "YCbCr", "HSV", "CMYK", "RGBX"})
_ALPHA_MODES = frozenset({"LA", "PA", "RGBA", "La", "RGBa"})
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
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise TooManyPixels(
            f"the image has {width} × {height} pixels, more than the limit of {max_pixels:,}"
        )
    if width < 1 or height < 1:
        raise CorruptImage("the image has no pixels")
    try:
        if at_least is not None:
            _draft(image, at_least, turned=_orientation(image) in _SWAPS_SIDES)
        image.load()
        # Asked again after loading: Pillow's TIFF reader has by then turned the photo itself.
        orientation = _orientation(image)
        rgb = _upright(to_rgb(image), orientation)
    except (UnsupportedImage, MemoryError):
        raise
    except Exception as exc:
        # Pillow's decoders raise a dozen types on broken files (OSError, SyntaxError,
        # struct.error, zlib.error, ...): whatever it is, the photo cannot be read.
        raise CorruptImage(f"the image is broken or cut short: {_reason(exc)}") from exc
    if orientation in _SWAPS_SIDES:
        width, height = height, width
    return DecodedImage(rgb=rgb, width=width, height=height, format=_format(image))


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any supported pixel type to 8-bit RGB by the table at the top of this file.

    Raises:
        UnsupportedImage: the pixel type has no defined range.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
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


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as exc:
        raise NotAnImage(f"not an image in a supported format ({', '.join(FORMATS)})") from exc
    except MemoryError:
        raise
    except Exception as exc:
        raise CorruptImage(f"the image's header is broken: {_reason(exc)}") from exc


def _format(image: Image.Image) -> str:
    # Phones store several pictures in one JPEG and Pillow calls that MPO; the first one is a JPEG.
    return "JPEG" if image.format in (None, "MPO") else str(image.format)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # broken metadata must not cost a readable photo
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _draft(image: Image.Image, at_least: tuple[int, int], *, turned: bool) -> None:
    if image.format not in ("JPEG", "MPO") or image.mode not in ("RGB", "L"):
        return
    width, height = at_least
    image.draft(None, (height, width) if turned else (width, height))


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

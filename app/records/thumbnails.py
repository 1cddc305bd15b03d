"""A photo's bytes -> a small WebP that people recognise it by."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

SIDE = 256
_QUALITY = 70


def thumbnail(photo: bytes, side: int = SIDE) -> bytes:
    """The photo upright, its longest side at most `side` pixels; smaller ones are not enlarged.

    Of a photo that the service has decoded already, within its limit of pixels.

    Raises:
        Exception: what Pillow raises where it cannot read the photo, which is a lot.
    """
    with Image.open(io.BytesIO(photo)) as image:
        shrink = min(1.0, side / max(image.size))
        width, height = (max(1, int(shrink * length)) for length in image.size)
        # A JPEG is decoded at a half, a quarter or an eighth, whichever is no smaller than that.
        image.draft("RGB", (width, height))
        image.load()
        turned = ImageOps.exif_transpose(image)
    small = _eight_bits(turned)
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=2)
    return buffer.getvalue()


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image.convert("RGB")

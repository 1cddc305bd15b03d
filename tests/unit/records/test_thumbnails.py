from __future__ import annotations

import io

import pytest
from PIL import Image

from app.records.thumbnails import thumbnail
from tests.support import encode, plain, textured


def opened(webp: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(webp))
    assert image.format == "WEBP"
    return image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_the_longest_side_is_256_pixels(kind: str) -> None:
    assert opened(thumbnail(encode(textured(1200, 900), kind))).size == (256, 192)


def test_a_small_photo_is_not_enlarged() -> None:
    assert opened(thumbnail(encode(textured(40, 30)))).size == (40, 30)


@pytest.mark.parametrize(("width", "height"), [(3000, 2), (2, 3000), (257, 256), (1, 1)])
def test_any_shape_is_drawn(width: int, height: int) -> None:
    small = opened(thumbnail(encode(textured(width, height), "JPEG")))
    assert max(small.size) == min(256, max(width, height))


def test_it_stands_upright() -> None:
    photo = plain((255, 0, 0), (600, 300))
    photo.paste((0, 0, 255), (0, 0, 300, 300))  # blue on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: left comes to the top
    small = opened(thumbnail(encode(photo, "JPEG", exif=exif, quality=95))).convert("RGB")
    assert small.size == (128, 256)
    top, bottom = small.getpixel((64, 40)), small.getpixel((64, 215))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[2] > 200 > 60 > top[0]
    assert bottom[0] > 200 > 60 > bottom[2]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_every_kind_of_pixel_is_drawn(mode: str) -> None:
    if mode == "I;16":
        photo = Image.new(mode, (300, 200), 128 << 8)
    else:
        photo = plain(128, (300, 200)).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    middle = opened(thumbnail(encode(photo, kind))).convert("L").getpixel((100, 80))
    assert isinstance(middle, int)
    assert mode == "1" or abs(middle - 128) < 8


def test_what_is_no_photo_is_an_error() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        thumbnail(b"no photo")

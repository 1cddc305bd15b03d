from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from app.core.errors import UnsupportedImage
from app.core.photo import pixel_types, sixteen_bits
from app.core.photo.images import decode, peak
from tests.support import encode, plain, png
from tests.torture.bombs import tiff_of

WHITES = [1023, 4095, 16_383, 65_535]
COLOUR_TYPES = {"grey": (0, 1), "RGB": (2, 3), "grey with alpha": (4, 2), "RGBA": (6, 4)}


def deep_png(values: Any, colour: int) -> bytes:
    """(H, W, channels) as a PNG of 16 bits, which Pillow writes for grey only."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(values.shape[1], values.shape[0], 16, colour, rows)


def deep_tiff(values: Any, *, deflated: bool = False) -> bytes:
    """(H, W, 3) as a TIFF of 16 bits."""
    height, width, _ = values.shape
    body = values.astype("<u2").tobytes()
    body = zlib.compress(body) if deflated else body
    tags: dict[int, tuple[int, int, int | bytes]] = {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, 3, struct.pack("<3H", 16, 16, 16)),
        259: (3, 1, 8 if deflated else 1), 262: (3, 1, 2), 273: (4, 1, 0), 277: (3, 1, 3),
        278: (4, 1, height), 279: (4, 1, len(body)),
    }  # fmt: skip
    tags[273] = (4, 1, len(tiff_of(tags)))
    return tiff_of(tags) + body


def scaled(values: Any, white: int) -> Any:
    return np.minimum(np.rint(values.astype(float) * 255 / white), 255)


@pytest.mark.parametrize("white", WHITES)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@given(values=arrays.arrays(np.uint16, (5, 7)))
def test_grey_is_scaled_by_the_white_level(kind: str, white: int, values: Any) -> None:
    values = (values.astype(int) % (white + 1)).astype(np.uint16)
    shown = decode(encode(Image.fromarray(values), kind), white_level=white).rgb
    for channel in np.moveaxis(np.asarray(shown), -1, 0):
        np.testing.assert_allclose(channel, scaled(values, white), atol=0.51)


@pytest.mark.parametrize("white", WHITES[:-1])
@pytest.mark.parametrize("make", [lambda v: deep_png(v, 2), deep_tiff])
@given(values=arrays.arrays(np.uint16, (5, 7, 3), elements=st.integers(0, 20_000)))
def test_colours_are_scaled_with_all_their_bits(
    make: Callable[[Any], bytes], white: int, values: Any
) -> None:
    values = (values.astype(int) % (white + 1)).astype(np.uint16)
    shown = np.asarray(decode(make(values), white_level=white).rgb)
    np.testing.assert_allclose(shown, scaled(values, white), atol=0.51)


@pytest.mark.parametrize("make", [
    lambda v: encode(Image.fromarray(v[..., 0])), lambda v: deep_png(v, 2), deep_tiff,
    lambda v: deep_png(np.dstack([v, np.full(v.shape[:2], 65_535, np.uint16)]), 6),
])  # fmt: skip
def test_a_photo_of_more_bits_is_refused_and_hot_pixels_are_white(
    make: Callable[[Any], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_types, "_BAND", 40)  # pixels are counted over all bands
    values = np.full((10, 20, 3), 1000, dtype=np.uint16)
    values[4, 4] = values[9, 9] = 65_535  # 1 % of 200
    shown = np.asarray(decode(make(values), white_level=4095).rgb)
    assert shown[4, 4].tolist() == [255, 255, 255]
    assert shown[0, 0].tolist() == [62, 62, 62]
    values[0, 7] = 4096
    with pytest.raises(UnsupportedImage, match="more than the 12 bits that this bank was built"):
        decode(make(values), white_level=4095)
    decode(make(values))  # a bank of 16 bits takes it


def test_colours_in_a_compressed_tiff_are_scaled_with_all_their_bits() -> None:
    values = (np.arange(105, dtype=np.uint16) * 39).reshape(5, 7, 3)
    shown = np.asarray(decode(deep_tiff(values, deflated=True), white_level=4095).rgb)
    np.testing.assert_allclose(shown, scaled(values, 4095), atol=0.51)


def test_alpha_is_composited_on_white_at_every_level() -> None:
    colour = np.array([[[4095, 0, 2048, 0], [4095, 0, 2048, 65_535]]], dtype=np.uint16)
    shown = np.asarray(decode(deep_png(colour, 6), white_level=4095).rgb)
    assert shown.tolist() == [[[255, 255, 255], [255, 0, 128]]]
    grey = np.array([[[2048, 0], [2048, 65_535]]], dtype=np.uint16)
    shown = np.asarray(decode(deep_png(grey, 4), white_level=4095).rgb)
    assert shown.tolist() == [[[255, 255, 255], [128, 128, 128]]]


@pytest.mark.parametrize("kind", COLOUR_TYPES)
def test_the_peak_is_the_largest_value_of_all_bits(kind: str) -> None:
    colour, channels = COLOUR_TYPES[kind]
    values = np.full((5, 7, channels), 17, dtype=np.uint16)
    values[3, 2, 0] = 3999
    if kind.endswith(("alpha", "A")):
        values[..., -1] = 65_535  # opaque: it is no brightness
    assert peak(deep_png(values, colour)) == 3999


def test_a_photo_of_8_bits_has_no_peak_and_is_the_same_at_every_level() -> None:
    for kind in ("JPEG", "PNG", "BMP", "WEBP", "TIFF"):
        data = encode(plain(77), kind)
        assert peak(data) is None
        assert decode(data).rgb.tobytes() == decode(data, white_level=4095).rgb.tobytes()


def test_conversion_in_bands_changes_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    data = deep_png((np.arange(3000, dtype=np.uint16)).reshape(50, 20, 3), 2)
    whole = decode(data, white_level=4095).rgb.tobytes()
    monkeypatch.setattr(sixteen_bits, "BAND", 100)
    monkeypatch.setattr(pixel_types, "_BAND", 100)
    assert decode(data, white_level=4095).rgb.tobytes() == whole


def test_planes_that_pillow_reads_as_8_bits_are_refused() -> None:
    values = np.zeros((5, 7, 3), dtype=np.uint16)
    with pytest.raises(UnsupportedImage, match="planes"):
        decode(_planar(values))


def _planar(values: Any) -> bytes:
    tags: dict[int, tuple[int, int, int | bytes]] = {
        256: (4, 1, 7), 257: (4, 1, 5), 258: (3, 3, struct.pack("<3H", 16, 16, 16)),
        259: (3, 1, 1), 262: (3, 1, 2), 273: (4, 3, struct.pack("<3I", 8, 8, 8)),
        277: (3, 1, 3), 278: (4, 1, 5), 279: (4, 3, struct.pack("<3I", 70, 70, 70)),
        284: (3, 1, 2),
    }  # fmt: skip
    return tiff_of(tags) + bytes(values)

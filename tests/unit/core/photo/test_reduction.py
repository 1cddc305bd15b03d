"""Which wishes for a size are met by the same decode."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.core.photo.images import decode, reduction
from tests.support import encode, textured

SIDES = st.one_of(st.none(), st.integers(1, 400).map(lambda side: (side, side)))


@settings(max_examples=60)
@given(
    width=st.integers(8, 300),
    height=st.integers(8, 300),
    at_least=SIDES,
    other=SIDES,
    orientation=st.integers(1, 8),
)
def test_equal_reductions_are_the_same_picture(
    width: int,
    height: int,
    at_least: tuple[int, int] | None,
    other: tuple[int, int] | None,
    orientation: int,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(textured(width, height), "JPEG", exif=exif)
    one, two = decode(data, at_least=at_least), decode(data, at_least=other)
    scale = reduction(one, at_least)
    assert one.rgb.size == (-(-one.width // scale), -(-one.height // scale))
    if scale == reduction(one, other):
        assert one.rgb.tobytes() == two.rgb.tobytes()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF"])
def test_what_is_always_decoded_in_full_is_one_picture(kind: str) -> None:
    image = decode(encode(textured(300, 200), kind))
    assert reduction(image, None) == reduction(image, (10, 10)) == 1

from __future__ import annotations

import numpy as np
import pytest

from app.core.errors import ImageError, TooManyPixels
from app.core.photo.small_jpeg import checked, decoded, encoded
from tests.support import encode, plain, textured

PIXELS = np.asarray(textured(90, 60))


def test_a_picture_comes_back_about_as_it_was() -> None:
    found = np.asarray(decoded(encoded(PIXELS, 90), 90 * 60))
    assert found.shape == PIXELS.shape
    assert np.abs(found.astype(int) - PIXELS).mean() < 5


def test_pixels_that_lie_anyhow_in_memory_are_encoded() -> None:
    assert encoded(PIXELS[::-1, ::-1]) == encoded(PIXELS[::-1, ::-1].copy())


def test_a_picture_of_one_pixel_is_one() -> None:
    assert decoded(encoded(PIXELS[:1, :1]), 1).size == (1, 1)


def test_a_larger_picture_is_refused() -> None:
    with pytest.raises(TooManyPixels):
        checked(encoded(PIXELS), 90 * 60 - 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        encode(plain(9), "PNG"),
        encoded(PIXELS)[:200],
        encode(textured(90, 60), "JPEG", progressive=True),
        encode(textured(90, 60).convert("L"), "JPEG"),
        encode(textured(90, 60).convert("CMYK"), "JPEG"),
    ],
    ids=["nothing", "a head", "PNG", "cut", "progressive", "grey", "ink"],
)
def test_what_was_not_encoded_here_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        decoded(data, 1 << 20)

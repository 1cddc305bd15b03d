from __future__ import annotations

import pytest

from app.bridge.frames import Frame, is_whole, kind_of
from tests.support import encode, textured


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "BMP", "TIFF"])
def test_a_photo_is_known_by_its_first_bytes(kind: str) -> None:
    data = encode(textured(40, 30), kind)
    assert kind_of(data) == kind
    assert is_whole(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_a_photo_that_is_cut_short_is_not_whole(kind: str) -> None:
    data = encode(textured(40, 30), kind)
    assert not any(is_whole(data[:end]) for end in range(len(data) - 1))


@pytest.mark.parametrize("data", [b"", b"<html>", b"GIF89a", b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_photo(data: bytes) -> None:
    assert kind_of(data) == ""
    assert not is_whole(data)


def test_padding_after_the_end_of_a_jpeg_is_allowed() -> None:
    """Some cameras fill up a block."""
    assert is_whole(encode(textured(40, 30), "JPEG") + b"\0" * 20)


def test_a_frame_may_be_older_than_now() -> None:
    frame = Frame.now("a", b"x", age_s=5)
    assert 5 <= frame.age_s < 6


@pytest.mark.anyio
async def test_whoever_gave_a_frame_is_told() -> None:
    told: list[bool] = []

    async def done(judged: bool) -> None:
        told.append(judged)

    await Frame.now("a", b"x", done=done).settle(False)
    await Frame.now("a", b"x").settle(True)
    assert told == [False]

"""WebP (RFC 9649): the picture, or of an animation the first frame on its canvas; no profile, no
XMP, no further frames.

Limit: 10,000 chunks (an animation of minutes has fewer frames).
"""

from __future__ import annotations

import struct

from ...errors import CorruptImage, UnsupportedImage
from . import exif
from .stripped import Stripped, check_size, cut_short, unpack

_MAX_CHUNKS = 10_000
_ALPHA, _ANIMATION = 0x10, 0x02


def strip(data: bytes, max_pixels: int) -> Stripped:
    """The chunks of the first frame.

    Raises:
        CorruptImage, UnsupportedImage, TooManyPixels.
    """
    chunks: dict[bytes, bytes] = {}
    (size,) = unpack("<I", data, 4, "header")
    if len(data) < 8 + size:
        raise cut_short("picture")
    position, end = 12, 8 + size
    for _ in range(_MAX_CHUNKS):
        if position + 8 > end:
            break
        name, length = unpack("<4sI", data, position, "chunk")
        if position + 8 + length > end:
            raise cut_short("chunk")
        if name in (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"EXIF"):
            chunks.setdefault(name, data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    else:
        raise UnsupportedImage(f"the WebP has more than {_MAX_CHUNKS:,} chunks")
    names, (width, height) = _picture(chunks)
    check_size(width, height, max_pixels)
    body = b"WEBP" + b"".join(_chunk(name, chunks[name]) for name in names)
    orientation = exif.orientation(chunks.get(b"EXIF", b""))
    return Stripped(
        b"RIFF" + struct.pack("<I", len(body)) + body, width, height, orientation=orientation
    )


def _picture(chunks: dict[bytes, bytes]) -> tuple[list[bytes], tuple[int, int]]:
    """The chunks to keep, in order, and the canvas; VP8X then announces no others."""
    pixels = b"VP8L" if b"VP8L" in chunks else b"VP8 "
    if b"VP8X" not in chunks:
        if pixels not in chunks:
            raise cut_short("picture")
        return [pixels], _size(pixels, chunks[pixels])
    flags, canvas = unpack("<B3x6s", chunks[b"VP8X"], 0, "header")
    if flags & _ANIMATION:
        kept, flags = [b"VP8X", b"ANIM", b"ANMF"], flags & (_ALPHA | _ANIMATION)
    else:
        # A lossless picture holds its alpha itself.
        alpha = [b"ALPH"] if pixels == b"VP8 " and b"ALPH" in chunks else []
        kept, flags = [b"VP8X", *alpha, pixels], flags & _ALPHA
    if not all(name in chunks for name in kept):
        raise cut_short("picture")
    chunks[b"VP8X"] = bytes([flags, 0, 0, 0]) + canvas
    sides = (int.from_bytes(side, "little") + 1 for side in (canvas[:3], canvas[3:]))
    return kept, (next(sides), next(sides))


def _size(name: bytes, picture: bytes) -> tuple[int, int]:
    if name == b"VP8L":
        mark, bits = unpack("<BI", picture, 0, "header")
        valid, width, height = mark == 0x2F, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        mark, width, height = unpack("<3s2H", picture, 3, "header")
        valid, width, height = mark == b"\x9d\x01\x2a", width & 0x3FFF, height & 0x3FFF
    if not valid:
        raise CorruptImage("the image is broken: its header makes no sense")
    return width, height


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)

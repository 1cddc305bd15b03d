"""PNG (ISO/IEC 15948): header, palette, transparency and pixels in one chunk; no text, no profile,
no further frames. Of an APNG that leaves the default image.

Limits: 65,536 chunks (32 MiB in the usual 8 KiB are 4,096). Checksums of what is kept are verified:
a photo that was damaged on its way must not be judged.
"""

from __future__ import annotations

import struct
import zlib

from ...errors import CorruptImage, UnsupportedImage
from . import exif
from .stripped import Stripped, check_size, cut_short, unpack

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_MAX_CHUNKS = 65_536
_HEADER_BYTES = 13
# A palette has at most 256 colours, of which each may be transparent.
_MAX_BYTES = {b"IHDR": _HEADER_BYTES, b"PLTE": 768, b"tRNS": 256}
_KEPT = frozenset({*_MAX_BYTES, b"IDAT"})


def strip(data: bytes, max_pixels: int) -> Stripped:
    """The chunks that decide pixels.

    Raises:
        CorruptImage, UnsupportedImage, TooManyPixels.
    """
    single: dict[bytes, bytes] = {}
    pixels: list[memoryview] = []
    orientation = 1
    view, position = memoryview(data), len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if position == len(data):  # the end mark holds no pixels: it may be missing
            break
        length, name = unpack(">I4s", data, position, "chunk")
        body = view[position + 8 : position + 8 + length]
        if name == b"IEND":
            break
        if not single and name != b"IHDR":
            raise cut_short("header")
        if name in _KEPT:
            _verify(data, position, name, body, length)
        if name == b"IDAT":
            pixels.append(body)
        elif name in _KEPT:
            if len(body) > _MAX_BYTES[name] or (name in single) or pixels:
                raise CorruptImage(f"the image is broken: its {name.decode()} makes no sense")
            single[name] = bytes(body)
            if name == b"IHDR":
                width, height, bits = unpack(">IIB", data, position + 8, "header")
                check_size(width, height, max_pixels)
        elif name == b"eXIf":
            orientation = exif.orientation(bytes(body))
        position += 12 + length
        if position > len(data):
            raise cut_short("chunk")
    else:
        raise UnsupportedImage(f"the PNG has more than {_MAX_CHUNKS:,} chunks")
    if not pixels:
        raise cut_short("picture")
    kept = [_chunk(name, single[name]) for name in _MAX_BYTES if name in single]
    kept += [_chunk(b"IDAT", b"".join(pixels)), _chunk(b"IEND", b"")]
    return Stripped(SIGNATURE + b"".join(kept), width, height, orientation, bits=bits)


def _verify(data: bytes, position: int, name: bytes, body: memoryview, length: int) -> None:
    (checksum,) = unpack(">I", data, position + 8 + length, "chunk")
    if zlib.crc32(body, zlib.crc32(name)) != checksum:
        raise CorruptImage("the image is broken: a checksum is wrong")


def _chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(name))
    return b"".join((struct.pack(">I", len(body)), name, body, struct.pack(">I", checksum)))

"""Hostile photos without end: every format and pixel type that can be written, then damaged.

    for kind, data in photos(random.Random(1)): ...

A seed gives the same photos on every machine with the same Pillow.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from PIL import Image

from tests.support import encode, textured

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
OTHER_FORMATS = ("GIF", "ICO", "PPM", "TGA", "DIB", "PCX", "MPO", "JPEG2000")
MODES = (
    "1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F",
    "LA", "PA", "RGBX", "RGBa", "La", "I;16", "I;16B",
)  # fmt: skip
_OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "JPEG": ({}, {"progressive": True}, {"subsampling": 0, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
    "PNG": ({}, {"compress_level": 0}),
    "BMP": ({},),
    "WEBP": ({}, {"lossless": True}),
    "TIFF": tuple(
        {"compression": name}
        for name in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4", "zstd")
    ),
}
# Values that parsers get wrong.
_EDGES = (
    *(struct.pack(">H", v) for v in (0, 1, 0x7FFF, 0x8000, 0xFFFF)),
    *(struct.pack("<I", v) for v in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)),
)
_HEADERS = (
    b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF\x40\0\0\0WEBPVP8 ",
    b"RIFF\x40\0\0\0WEBPVP8X", b"RIFF\x40\0\0\0WEBPVP8L", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08",
    b"II+\0", b"GIF89a", b"%PDF-1.7\n", b"PK\3\4", b"<svg ", b"\0\0\0\x0cjP  ",
)  # fmt: skip


@cache
def intact() -> dict[str, bytes]:
    """A small file for every format, pixel type and compression that Pillow writes."""
    picture, found = textured(23, 17), {}
    for kind in FORMATS:
        for mode in MODES:
            for number, options in enumerate(_OPTIONS[kind]):
                try:
                    data = encode(_in_mode(picture, mode), kind, **options)
                except (OSError, ValueError, KeyError, SystemError):
                    continue  # that combination does not exist
                found[f"{kind} {mode} {number}"] = data
    return found


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if mode.startswith("I;"):
        return picture.convert("I").convert(mode)
    through = {"RGBa": "RGBA", "La": "LA", "PA": "RGBA"}.get(mode)
    return (picture.convert(through) if through else picture).convert(mode)


@cache
def foreign() -> tuple[bytes, ...]:
    """Files of formats that the service does not take."""
    found = []
    for kind in OTHER_FORMATS:
        try:
            found.append(encode(textured(23, 17), kind))
        except (OSError, KeyError):
            continue
    return tuple(found)


def _cut(mix: random.Random, data: bytes) -> bytes:
    return data[: mix.randrange(len(data))]


def _flip_bits(mix: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(mix.choice((1, 1, 2, 8, 64))):
        damaged[mix.randrange(len(damaged))] ^= 1 << mix.randrange(8)
    return bytes(damaged)


def _edge_values(mix: random.Random, data: bytes) -> bytes:
    """Near the start, where sizes and counts are."""
    damaged = bytearray(data)
    for _ in range(mix.randint(1, 3)):
        value, place = mix.choice(_EDGES), mix.randrange(min(len(damaged), 128))
        damaged[place : place + len(value)] = value
    return bytes(damaged)


def _move_piece(mix: random.Random, data: bytes) -> bytes:
    """Cut out, or repeat, some of the middle."""
    start, end = sorted(mix.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[start:end] * mix.choice((0, 2, 50)) + data[end:]


def _splice(mix: random.Random, data: bytes) -> bytes:
    other = mix.choice(list(intact().values()))
    return data[: mix.randrange(len(data))] + other[mix.randrange(len(other)) :]


def _wrap(mix: random.Random, data: bytes) -> bytes:
    """A file that is two things, or has a tail."""
    head = mix.choice((*_HEADERS[9:], b"", b"\n"))
    return head + data + mix.randbytes(mix.choice((0, 9, 5000)))


def _random_tail(mix: random.Random, data: bytes) -> bytes:
    return mix.choice(_HEADERS) + mix.randbytes(mix.choice((0, 1, 30, 300, 3000)))


def _honest_checksums(mix: random.Random, data: bytes) -> bytes:
    """Damage in a PNG whose checksums are right, so that it reaches the decoder."""
    place, pieces = 8, [data[:8]]
    while data.startswith(b"\x89PNG") and place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        body = data[place + 8 : place + 8 + length]
        if body and mix.random() < 0.5:
            body = _flip_bits(mix, body)
        name = data[place + 4 : place + 8]
        head = struct.pack(">I", len(body)) + name + body
        pieces.append(head + struct.pack(">I", zlib.crc32(name + body)))
        place += 12 + length
    return b"".join(pieces)


DAMAGE: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "cut": _cut,
    "bits": _flip_bits,
    "edges": _edge_values,
    "pieces": _move_piece,
    "spliced": _splice,
    "polyglot": _wrap,
    "random": _random_tail,
    "checksums": _honest_checksums,
}


def photo(mix: random.Random) -> tuple[str, bytes]:
    """One photo and what was done to it: nothing, once, or twice."""
    if mix.random() < 0.02:
        return "foreign", mix.choice(foreign())
    name = mix.choice(list(intact()))
    data = intact()[name]
    if mix.random() < 0.05:
        return "intact", data
    kind = mix.choice(list(DAMAGE))
    data = DAMAGE[kind](mix, data)
    if data and mix.random() < 0.2:
        data = mix.choice(list(DAMAGE.values()))(mix, data)
    return kind, data


def photos(mix: random.Random) -> Iterator[tuple[str, bytes]]:
    """Photos without end."""
    while True:
        yield photo(mix)

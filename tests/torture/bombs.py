"""Small files that ask for a lot of work or memory, one per way that is known to us.

`STRUCTURES` are the ones whose cost lies in how the file is made, `LARGE` the ones at the pixel
limit, in every pixel type. Most are a few kilobytes, some 30 MB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PIL import Image

from tests.support import encode, plain

MIB = 1 << 20
SIDE = 8000  # 64 megapixels, the default limit


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int, depth: int, colour: int, *extra: bytes) -> bytes:
    """A black PNG with further chunks before its pixels."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = 1 + (width * samples * depth + 7) // 8
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zeros(height * row))
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *extra, pixels, chunk(b"IEND", b""))
    )


def zeros(number: int) -> bytes:
    """So many zeros, deflated: a thousandth of it."""
    packer, block = zlib.compressobj(9), bytes(MIB)
    parts = [packer.compress(block[: min(MIB, number - i)]) for i in range(0, number, MIB)]
    return b"".join(parts) + packer.flush()


def tiff_of(tags: dict[int, tuple[int, int, int | bytes]], *, following: int = 0) -> bytes:
    """A little-endian TIFF directory: tag -> (type, count, value or the values' bytes)."""
    beyond = 8 + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for number, (kind, count, value) in sorted(tags.items()):
        if isinstance(value, bytes):
            entries += struct.pack("<HHII", number, kind, count, beyond + len(values))
            values += value
        else:
            entries += struct.pack("<HHII", number, kind, count, value)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + entries + struct.pack("<I", following) + values


def grey_tiff(width: int, height: int, **change: tuple[int, int, int | bytes]) -> bytes:
    """A TIFF of 8-bit grey in one strip; `change` adds tags, named `t<number>`."""
    tags: dict[int, tuple[int, int, int | bytes]] = {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
        273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, min(64, width * height)),
    }  # fmt: skip
    return tiff_of(tags | {int(name[1:]): tag for name, tag in change.items()})


def _jpeg_with(*inserted: bytes) -> bytes:
    photo = encode(plain(90, (64, 48)), "JPEG")
    return b"".join((photo[:2], *inserted, photo[2:]))


def _many(size: int, piece: bytes) -> bytes:
    return piece * (size // len(piece))


def _jpeg_scans(side: int, number: int) -> bytes:
    photo = encode(plain(90, (side, side)), "JPEG", progressive=True, subsampling=0)
    scans = photo.removesuffix(b"\xff\xd9").split(b"\xff\xda")
    repeated = [scans[-1]] * max(0, number - len(scans) + 1)
    return b"\xff\xda".join(scans + repeated) + b"\xff\xd9"


def _bmp_runs(bits: int, compression: int, runs: bytes, size: int = 30 * MIB) -> bytes:
    palette = bytes(i for i in range(1 << bits) for _ in range(4))
    start = 54 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, bits, compression, 0, 0, 0, 1 << bits, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, start) + info + palette + _many(size, runs)


def _tiff_pages(number: int) -> bytes:
    first = grey_tiff(8, 8)
    page = bytes(first[8:])  # its directory, which says where the next one is
    length = len(page)
    end = len(first)
    places = [end + i * length for i in range(number)] + [0]
    pages = [page[:-4] + struct.pack("<I", place) for place in places]
    return first[:8] + b"".join(pages)


def _tiff_tiles(side: int) -> bytes:
    number = ((side + 15) // 16) ** 2
    tags: dict[int, tuple[int, int, int | bytes]] = {
        256: (4, 1, side), 257: (4, 1, side), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
        277: (3, 1, 1), 322: (4, 1, 16), 323: (4, 1, 16),
        324: (4, number, struct.pack("<I", 8) * number),
        325: (4, number, struct.pack("<I", 1) * number),
    }  # fmt: skip
    return tiff_of(tags)


def _webp_frames(number: int) -> bytes:
    frames = [plain(g % 256, (8, 8)) for g in range(number)]
    return encode(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def _long_exif() -> bytes:
    ifd = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x112, 5, 30 * MIB // 8, 26) + bytes(4)
    return chunk(b"eXIf", ifd + b"\1" * 30 * MIB)


STRUCTURES: Mapping[str, Callable[[], bytes]] = {
    "jpeg: junk between segments": lambda: _jpeg_with(segment(0xE3, b""), bytes(30 * MIB)),
    "jpeg: fill bytes": lambda: _jpeg_with(b"\xff" * 30 * MIB),
    "jpeg: empty segments": lambda: _jpeg_with(_many(30 * MIB, segment(0xE3, b""))),
    "jpeg: EXIF in pieces": lambda: _jpeg_with(_many(30 * MIB, segment(0xE1, b"Exif\0\0xx"))),
    "jpeg: profile in pieces": lambda: _jpeg_with(
        _many(30 * MIB, segment(0xE2, b"ICC_PROFILE\0\1\1"))
    ),
    "jpeg: full segments": lambda: _jpeg_with(_many(30 * MIB, segment(0xE1, bytes(65_000)))),
    "jpeg: frames": lambda: _jpeg_with(
        _many(30 * MIB, segment(0xC0, struct.pack(">BHHB", 8, 48, 64, 3) + b"\1\x11\0" * 21_800))
    ),
    "jpeg: tables": lambda: _jpeg_with(
        _many(30 * MIB, segment(0xDB, (b"\0" + bytes(range(1, 65))) * 1000))
    ),
    "jpeg: stuffed scan": lambda: encode(plain(90), "JPEG")[:-2] + b"\xff\0" * 15 * MIB,
    "jpeg: 1,000 scans": lambda: _jpeg_scans(1000, 1000),
    "jpeg: scans at the limit of pixels": lambda: _jpeg_scans(SIDE, 20),
    "jpeg: scans beyond it": lambda: _jpeg_scans(SIDE, 21),
    "jpeg: scans at the limit of scans": lambda: _jpeg_scans(3500, 100),
    "png: empty chunks": lambda: png_of(8, 8, 8, 2, _many(30 * MIB, chunk(b"abCd", b""))),
    "png: most chunks": lambda: png_of(8, 8, 8, 2, chunk(b"IDAT", b"") * 65_000),
    "png: text": lambda: png_of(8, 8, 8, 2, _many(30 * MIB, chunk(b"tEXt", b"k\0" + b"v" * 99))),
    "png: deflated text": lambda: png_of(8, 8, 8, 2, *[chunk(b"zTXt", b"k\0\0" + zeros(MIB))] * 99),
    "png: profile": lambda: png_of(8, 8, 8, 2, chunk(b"iCCP", b"k\0\0" + zeros(100 * MIB))),
    "png: EXIF": lambda: png_of(8, 8, 8, 2, _long_exif()),
    "png: more pixels than announced": lambda: b"".join(
        (png_of(8, 8, 8, 2)[:33], chunk(b"IDAT", zeros(100 * MIB)), chunk(b"IEND", b""))
    ),
    "png: 60,000 × 1": lambda: png_of(60_000, 1, 8, 2),
    "png: 64,000,000 × 1": lambda: png_of(64_000_000, 1, 1, 0),
    "png: 1 × 60,000": lambda: png_of(1, 60_000, 8, 2),
    "bmp: runs of one": lambda: _bmp_runs(8, 1, b"\1\0"),
    "bmp: runs of nothing": lambda: _bmp_runs(8, 1, b"\1\1\0\0"),
    "bmp: half bytes": lambda: _bmp_runs(4, 2, b"\xff\x12"),
    "tiff: strips": lambda: grey_tiff(
        SIDE, SIDE, t273=(4, 4 * MIB, struct.pack("<I", 8) * 4 * MIB), t278=(4, 1, 1)
    ),
    "tiff: small tiles": lambda: _tiff_tiles(5000),
    "tiff: most tiles": lambda: _tiff_tiles(2880),
    "tiff: a huge tile": lambda: grey_tiff(
        64, 64, t322=(4, 1, 1 << 30), t323=(4, 1, 1 << 30), t324=(4, 1, 8), t325=(4, 1, 64)
    ),
    "tiff: a long tag": lambda: grey_tiff(8, 8, t282=(5, 3 * MIB, bytes(24 * MIB))),
    "tiff: pages": lambda: _tiff_pages(200_000),
    "webp: frames": lambda: _webp_frames(200),
    "webp: 16,383 × 16,383": lambda: encode(
        Image.new("RGB", (16_383, 16_383)), "WEBP", lossless=True, quality=0, method=0
    ),
}


def _saved(kind: str, mode: str, options: dict[str, Any]) -> bytes:
    return encode(Image.new(mode, (SIDE, SIDE)), kind, **options)


_FAST = {"quality": 0, "method": 0}
_LZW = {"compression": "tiff_lzw"}
LARGE: Mapping[str, Callable[[], bytes]] = {
    "png: grey": partial(png_of, SIDE, SIDE, 8, 0),
    "png: grey, 16 bits": partial(png_of, SIDE, SIDE, 16, 0),
    "png: RGB": partial(png_of, SIDE, SIDE, 8, 2),
    "png: RGB, 16 bits": partial(png_of, SIDE, SIDE, 16, 2),
    "png: palette with alpha": partial(
        png_of, SIDE, SIDE, 8, 3, chunk(b"PLTE", bytes(768)), chunk(b"tRNS", b"\0\x80" * 99)
    ),
    "png: grey with alpha": partial(png_of, SIDE, SIDE, 8, 4),
    "png: RGBA": partial(png_of, SIDE, SIDE, 8, 6),
    "png: RGBA, 16 bits": partial(png_of, SIDE, SIDE, 16, 6),
} | {
    f"{kind.lower()}: {mode}{', ' + note if note else ''}": partial(_saved, kind, mode, options)
    for kind, mode, note, options in (
        ("JPEG", "L", "", {}),
        ("JPEG", "RGB", "", {}),
        ("JPEG", "RGB", "progressive", {"progressive": True, "subsampling": 0}),
        ("JPEG", "CMYK", "progressive", {"progressive": True}),
        ("WEBP", "RGB", "", _FAST),
        ("WEBP", "RGB", "lossless", _FAST | {"lossless": True}),
        ("WEBP", "RGBA", "", _FAST),
        ("TIFF", "1", "", {}),
        ("TIFF", "RGB", "LZW", _LZW),
        ("TIFF", "RGBA", "LZW", _LZW),
        ("TIFF", "CMYK", "LZW", _LZW),
        ("TIFF", "I;16", "LZW", _LZW),
        ("TIFF", "I", "LZW", _LZW),
    )
}

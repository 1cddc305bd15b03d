"""TIFF 6.0: the first page, under a directory written anew with the tags that decide its pixels.

Limits: uncompressed, LZW, Deflate and PackBits. JPEG, fax and other codecs inside a TIFF would each
be one more decoder to trust, and no camera writes them. 32,768 strips or tiles, exactly as many
as the size asks for, not larger than the file together: else the same work could be asked for again
and again.
"""

from __future__ import annotations

import struct
from math import ceil
from operator import add

from ...errors import CorruptImage, UnsupportedImage
from . import exif
from .exif import Tag
from .stripped import Stripped, check_size, cut_short

_COMPRESSIONS = {1: "none", 5: "LZW", 8: "Deflate", 32946: "Deflate", 32773: "PackBits"}
_MAX_PIECES = 32_768
_MAX_SAMPLES = 6  # Pillow's, too
# A tile is decoded whole: larger ones than this must at least be filled by the picture.
_MAX_TILE = 4096

_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES, _PLANES = 256, 257, 259, 277, 284
_BITS = 258
_PAGE_KIND, _DNG_VERSION = 254, 50706
_ROWS, _TILE_WIDTH, _TILE_HEIGHT = 278, 322, 323
_STRIPS, _TILES = (273, 279), (324, 325)  # where each piece starts, and its bytes
# The tags that decide pixels -> how many values each has at most.
_KEPT = {
    _WIDTH: 1, _HEIGHT: 1, _COMPRESSION: 1, _SAMPLES: 1, _PLANES: 1,
    _ROWS: 1, _TILE_WIDTH: 1, _TILE_HEIGHT: 1,
    _BITS: 8,  # per sample
    262: 1,  # what the values mean
    266: 1,  # order of bits
    317: 1,  # predictor
    320: 768,  # palette
    338: 8, 339: 8,  # extra samples, sample format
    529: 3, 530: 2, 531: 1, 532: 6,  # YCbCr
}  # fmt: skip
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_NONE, _SEPARATE_PLANES = 1, 2


_Values = tuple[int, tuple[int, ...]]  # the tag's type, and its values


def strip(data: bytes, max_pixels: int) -> Stripped:
    """The file with a directory of its own.

    Raises:
        CorruptImage, UnsupportedImage, TooManyPixels.
    """
    endian = exif.byte_order(data)
    assert endian is not None
    tags: dict[int, Tag] = {}
    for tag in exif.directory(data, endian):
        tags.setdefault(tag.number, tag)
    kept: dict[int, _Values] = {
        number: (tag.kind, tag.values(data, endian))
        for number, tag in tags.items()
        if tag.count <= _KEPT.get(number, 0)
    }
    if _is_raw(data, endian, tags):
        raise UnsupportedImage("this is a raw photo, which is not read: send the camera's JPEG")
    width, height = _one(kept, _WIDTH), _one(kept, _HEIGHT)
    check_size(width, height, max_pixels)
    if _one(kept, _COMPRESSION, _NONE) not in _COMPRESSIONS:
        known = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        raise UnsupportedImage(f"the TIFF's compression is not supported, only {known}")
    if _one(kept, _SAMPLES, 1) > _MAX_SAMPLES:
        raise UnsupportedImage("the TIFF has more channels than a photo")
    kept |= _places(data, endian, tags, kept, (width, height))
    turned = tags.get(exif.ORIENTATION)
    orientation = exif.turn(data, endian, turned) if turned else 1
    bits = max(kept[_BITS][1]) if _BITS in kept else 1
    planes = _one(kept, _PLANES, 1), _one(kept, _COMPRESSION, _NONE)
    if bits > 8 and _one(kept, _SAMPLES, 1) > 1 and planes == (_SEPARATE_PLANES, _NONE):
        raise UnsupportedImage(
            "an uncompressed TIFF of 16-bit colours in separate planes is not supported; save it "
            "with LZW, or pixel by pixel"
        )
    return Stripped(_with_directory(data, endian, kept), width, height, orientation, bits=bits)


def _is_raw(data: bytes, endian: str, tags: dict[int, Tag]) -> bool:
    """Whether it is a camera's raw file, whose first page is but a preview of it."""
    preview = tags.get(_PAGE_KIND)
    is_preview = preview is not None and preview.values(data, endian)[0] & 1 == 1
    return _DNG_VERSION in tags or data[8:10] == b"CR" or is_preview


def _one(kept: dict[int, _Values], number: int, default: int | None = None) -> int:
    if number in kept:
        return kept[number][1][0]
    if default is None:
        raise cut_short("directory")
    return default


def _places(
    data: bytes, endian: str, tags: dict[int, Tag], kept: dict[int, _Values], size: tuple[int, int]
) -> dict[int, _Values]:
    """Where the strips or tiles lie, as many as the size asks for."""
    width, height = size
    starts, lengths = _TILES if _TILES[0] in tags else _STRIPS
    places: dict[int, _Values] = {}
    if starts == _TILES[0]:
        tile = _one(kept, _TILE_WIDTH), _one(kept, _TILE_HEIGHT)
        if not all(16 <= t <= max(_MAX_TILE, s + 15) for t, s in zip(tile, size, strict=True)):
            raise CorruptImage("the image is broken: its tiles do not fit its size")
        pieces = ceil(width / tile[0]) * ceil(height / tile[1])
    else:
        rows = max(1, min(_one(kept, _ROWS, height), height))
        places[_ROWS] = _LONG, (rows,)
        pieces = ceil(height / rows)
    if _one(kept, _PLANES, 1) == _SEPARATE_PLANES:
        pieces *= _one(kept, _SAMPLES, 1)
    if pieces > _MAX_PIECES:
        raise UnsupportedImage(f"the TIFF is in more than {_MAX_PIECES:,} pieces")
    for number in (starts, lengths):
        places[number] = _LONG, _first(data, endian, tags.get(number), pieces)
    ends = map(add, places[starts][1], places[lengths][1])
    if max(ends) > len(data) or sum(places[lengths][1]) > len(data):
        raise cut_short("picture")
    return places


def _first(data: bytes, endian: str, tag: Tag | None, number: int) -> tuple[int, ...]:
    if tag is None or tag.kind not in (_SHORT, _LONG) or not 0 < number <= tag.count:
        raise CorruptImage("the image is broken: strips or tiles are missing")
    return Tag(tag.number, tag.kind, number, tag.place).values(data, endian)


def _with_directory(data: bytes, endian: str, kept: dict[int, _Values]) -> bytes:
    """The file with one directory, at its end, and nothing after it."""
    start = len(data) + len(data) % 2
    beyond = start + 2 + 12 * len(kept) + 4
    entries, values = [struct.pack(f"{endian}H", len(kept))], b""
    for number, (kind, numbers) in sorted(kept.items()):
        count = len(numbers) // 2 if kind == _RATIONAL else len(numbers)
        packed = struct.pack(exif.layout(endian, kind, count), *numbers)
        entries.append(struct.pack(f"{endian}HHI", number, kind, count))
        if len(packed) <= 4:
            entries.append(packed.ljust(4, b"\0"))
        else:
            entries.append(struct.pack(f"{endian}I", beyond + len(values)))
            values += packed + bytes(len(packed) % 2)
    parts = (data[:4], struct.pack(f"{endian}I", start), data[8:], bytes(len(data) % 2))
    return b"".join((*parts, *entries, bytes(4), values))

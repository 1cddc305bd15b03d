"""TIFF directories, which are EXIF's too, and the one EXIF tag that matters: orientation."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import CorruptImage
from .stripped import unpack

ORIENTATION = 0x0112

# The types that occur in what is read here, BYTE, SHORT, LONG and RATIONAL: how many numbers of
# which `struct` letter each value has.
_LAYOUT = {1: (1, "B"), 3: (1, "H"), 4: (1, "I"), 5: (2, "I")}
# The richest raw formats have about 100; every tag is one step.
_MAX_TAGS = 1000


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry of a directory; `place` is where its values start in the file."""

    number: int
    kind: int
    count: int
    place: int

    def values(self, data: bytes, endian: str) -> tuple[int, ...]:
        """All values as integers, a rational as two.

        Raises:
            CorruptImage: they lie beyond the end of the file.
        """
        return unpack(layout(endian, self.kind, self.count), data, self.place, "tag")


def byte_order(data: bytes) -> str | None:
    """`struct`'s sign for the byte order of a TIFF header, None where it is none."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])


def directory(data: bytes, endian: str) -> Iterator[Tag]:
    """The first directory's tags of known types; those that follow it are never read.

    Raises:
        CorruptImage: it is cut short.
    """
    (start,) = unpack(f"{endian}I", data, 4, "header")
    (count,) = unpack(f"{endian}H", data, start, "directory")
    for index in range(min(count, _MAX_TAGS)):
        entry = start + 2 + 12 * index
        number, kind, n, where = unpack(f"{endian}HHII", data, entry, "directory")
        if kind not in _LAYOUT or n == 0:
            continue
        inline = struct.calcsize(layout("=", kind, n)) <= 4
        yield Tag(number, kind, n, entry + 8 if inline else where)


def layout(endian: str, kind: int, count: int) -> str:
    """`struct`'s layout of a tag's values."""
    numbers, letter = _LAYOUT[kind]
    return f"{endian}{numbers * count}{letter}"


def orientation(exif: bytes) -> int:
    """1 to 8; 1 also where the metadata is broken, which must not cost a readable photo."""
    exif = exif.removeprefix(b"Exif\0\0")
    endian = byte_order(exif)
    if endian is None:
        return 1
    try:
        tags = directory(exif, endian)
        return next((turn(exif, endian, t) for t in tags if t.number == ORIENTATION), 1)
    except CorruptImage:
        return 1


def turn(data: bytes, endian: str, tag: Tag) -> int:
    """The value of an orientation tag, 1 where it is none."""
    value = tag.values(data, endian)[0] if tag.count == 1 else 1
    return value if 1 <= value <= 8 else 1

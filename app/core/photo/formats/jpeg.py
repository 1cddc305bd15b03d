"""JPEG (ITU-T T.81): tables, frame and scans, without application segments.

Of those only JFIF and Adobe are kept, which say what the colours mean. What follows the picture,
such as the second one of a 3D camera, is dropped, so that Pillow's MPO reader is never needed.

Limits: 2,000 segments (10 MB of depth map in XMP are 160); 8 bits; Huffman coding, since arithmetic
coding is an order of magnitude slower and no camera writes it. How many scans the decoder may go
through depends on the pixels, see `images.py`.
"""

from __future__ import annotations

import re

from ...errors import CorruptImage, UnsupportedImage
from . import exif
from .stripped import Stripped, check_size, cut_short, unpack

_MAX_SEGMENTS = 2000
# Four quantisation tables of 16 bits, or eight Huffman tables, take 520 and 2,190 bytes.
_MAX_TABLES = 4096

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_FRAMES = frozenset({_BASELINE, _EXTENDED, _PROGRESSIVE})
_OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {_DHT, 0xC8, 0xCC}
_EXIF, _JFIF, _ADOBE = (0xE1, b"Exif\0\0"), (0xE0, b"JFIF\0"), (0xEE, b"Adobe")

# A stuffed 0xFF (FF 00), a fill byte (FF FF) and a restart mark are part of a scan.
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]", re.DOTALL)
# `re` holds the interpreter: other threads run between the windows.
_WINDOW = 1 << 20


def strip(data: bytes, max_pixels: int) -> Stripped:
    """The picture's own segments.

    Raises:
        CorruptImage, UnsupportedImage, TooManyPixels.
    """
    kept, position = [b"\xff\xd8"], 2
    size: tuple[int, int] | None = None
    scans, orientation = 0, None
    for _ in range(_MAX_SEGMENTS):
        position = _next_marker(data, position)
        if position == len(data):
            break
        marker = data[position + 1]
        if marker == _EOI:
            kept.append(b"\xff\xd9")
            break
        if marker == _SOI:
            position += 2
            continue
        segment = _segment(data, position)
        position += len(segment)
        if marker in _FRAMES:
            if size is not None:
                raise CorruptImage("the image is broken: it has several frames")
            size = _size(segment)
            check_size(*size, max_pixels)
        elif marker in _OTHER_FRAMES:
            raise UnsupportedImage("lossless and arithmetic-coded JPEG are not supported")
        elif marker == _SOS:
            scans += 1
            end = _next_marker(data, position)
            segment += data[position:end]
            position = end
        elif marker in (_DQT, _DHT) and len(segment) > _MAX_TABLES:
            raise CorruptImage("the image is broken: its tables are too long")
        elif _is(segment, _EXIF) and orientation is None:
            orientation = exif.orientation(segment[4:])
        if marker in _FRAMES | {_SOS, _DQT, _DHT, _DRI} or _is(segment, _JFIF, _ADOBE):
            kept.append(segment)
    else:
        raise UnsupportedImage(f"the JPEG has more than {_MAX_SEGMENTS:,} segments")
    if size is None or scans == 0:
        raise cut_short("frame")
    return Stripped(b"".join(kept), *size, orientation=orientation or 1, scans=scans)


def _next_marker(data: bytes, start: int) -> int:
    """Where the next marker is, `len(data)` where there is none."""
    for window in range(start, len(data), _WINDOW):
        if found := _MARKER.search(data, window, window + _WINDOW + 1):
            return found.start()
    return len(data)


def _segment(data: bytes, position: int) -> bytes:
    (length,) = unpack(">H", data, position + 2, "segment")
    segment = data[position : position + 2 + length]
    if length < 2 or len(segment) < 2 + length:
        raise cut_short("segment")
    return segment


def _size(frame: bytes) -> tuple[int, int]:
    bits, height, width, components = unpack(">BHHB", frame, 4, "frame")
    if bits != 8:
        raise UnsupportedImage(f"JPEG of {bits} bits is not supported; save the photo with 8")
    if components not in (1, 3, 4) or len(frame) != 10 + 3 * components:
        raise CorruptImage("the image is broken: its frame does not fit its components")
    return width, height


def _is(segment: bytes, *kinds: tuple[int, bytes]) -> bool:
    return any(segment[1] == marker and segment[4:].startswith(name) for marker, name in kinds)

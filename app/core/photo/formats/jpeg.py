"""JPEG (ITU-T T.81): tables, frame and scans, without application segments.

Of those only JFIF and Adobe are kept, which say what the colours mean. What follows the picture,
such as the second one of a 3D camera, is dropped, so that Pillow's MPO reader is never needed.

What decoders remark on though no pixel depends on it is put right, so that all that is left for
them to remark on is damage: the version of JFIF, an unknown colour transform, scan parameters where
there is only one choice, a missing end mark. A picture whose scans do not bring all of its
coefficients was cut between two of them, with or without an end mark.

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
_MOST_COMPONENTS = 4
_COEFFICIENTS = 64
_AC = 0x10  # the class of the Huffman tables that a block's further coefficients are read by
_EXIF, _JFIF, _ADOBE = (0xE1, b"Exif\0\0"), (0xE0, b"JFIF\0"), (0xEE, b"Adobe")

# A stuffed 0xFF (FF 00), a fill byte (FF FF) and a restart mark are part of a scan.
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]", re.DOTALL)
# Zeros before a restart or end mark, all but the one that belongs to a stuffed 0xFF.
_PADDING = re.compile(rb"(?:(?<=\xff\0)|(?<![\xff\0]))\0+(?=\xff[\xd0-\xd7\xd9])")
# So many zero bytes in a row read as one and the same code, some hundred times. It is the code for
# "nothing more in this block" in pictures with flat areas, if the table has it so; else it is none
# that a picture has so often: a hole, as lost packets and broken memory cards leave it.
_HOLE = bytes(32)
# `re` holds the interpreter: other threads run between the windows.
_WINDOW = 1 << 20


def strip(data: bytes, max_pixels: int) -> Stripped:
    """The picture's own segments.

    Raises:
        CorruptImage, UnsupportedImage, TooManyPixels.
    """
    kept, position = [b"\xff\xd8"], 2
    frame: _Frame | None = None
    tables: dict[int, int] = {}
    scans, orientation, ended = 0, None, False
    for _ in range(_MAX_SEGMENTS):
        position = _next_marker(data, position)
        if position == len(data):
            break
        marker = data[position + 1]
        if marker == _EOI:
            ended = True
            break
        if marker == _SOI:
            position += 2
            continue
        segment = _segment(data, position)
        position += len(segment)
        if marker in _FRAMES:
            if frame is not None:
                raise CorruptImage("the image is broken: it has several frames")
            frame = _Frame(segment)
            check_size(*frame.size, max_pixels)
        elif marker in _OTHER_FRAMES:
            raise UnsupportedImage("lossless and arithmetic-coded JPEG are not supported")
        elif marker == _SOS:
            if frame is None:
                raise cut_short("frame")
            scans += 1
            end = _next_marker(data, position)
            coded = data[position:end]
            if _HOLE in coded and frame.shows_holes(segment, tables):
                if data[end + 1 : end + 2] in (b"", b"\xd9"):
                    coded = _without_zeros_at_its_end(coded)
                if _HOLE in coded:
                    raise CorruptImage("the image is broken: a piece of it is zeros")
            segment = frame.scan(segment) + coded
            position = end
        elif marker in (_DQT, _DHT) and len(segment) > _MAX_TABLES:
            raise CorruptImage("the image is broken: its tables are too long")
        elif marker == _DHT:
            tables |= _codes_of_zeros(segment)
        elif _is(segment, _EXIF) and orientation is None:
            orientation = exif.orientation(segment[4:])
        if marker in _FRAMES | {_SOS, _DQT, _DHT, _DRI} or _is(segment, _JFIF, _ADOBE):
            kept.append(segment)
    else:
        raise UnsupportedImage(f"the JPEG has more than {_MAX_SEGMENTS:,} segments")
    if frame is None or scans == 0:
        raise cut_short("frame")
    if not frame.is_complete():
        raise cut_short("picture")
    components = len(frame.missing)
    return Stripped(
        b"".join((*(_known(segment, components) for segment in kept), b"\xff\xd9")),
        *frame.size,
        orientation=orientation or 1,
        scans=scans,
        components=components,
        ended=ended,
    )


class _Frame:
    """What the frame announces, and what its scans have not brought yet.

    Attributes:
        size: (width, height).
        missing: by component, a bit for each coefficient that no scan has brought to its last bit.
    """

    def __init__(self, segment: bytes) -> None:
        bits, height, width, components = unpack(">BHHB", segment, 4, "frame")
        if bits != 8:
            raise UnsupportedImage(f"JPEG of {bits} bits is not supported; save the photo with 8")
        if components not in (1, 3, 4) or len(segment) != 10 + 3 * components:
            raise CorruptImage("the image is broken: its frame does not fit its components")
        self.size: tuple[int, int] = width, height
        self.missing = dict.fromkeys(segment[10::3], (1 << _COEFFICIENTS) - 1)
        self._progressive = segment[1] == _PROGRESSIVE
        if len(self.missing) != components:
            raise CorruptImage("the image is broken: two of its components are the same")

    def scan(self, head: bytes) -> bytes:
        """Note what a scan brings; its head, with the only parameters that its kind may have."""
        (count,) = unpack("B", head, 4, "scan")
        if not 1 <= count <= _MOST_COMPONENTS or len(head) != 8 + 2 * count:
            raise CorruptImage("the image is broken: a scan's head makes no sense")
        components = head[5 : 5 + 2 * count : 2]
        first, last, bits = head[-3:] if self._progressive else (0, _COEFFICIENTS - 1, 0)
        if not first <= last < _COEFFICIENTS or not set(components) <= self.missing.keys():
            raise CorruptImage("the image is broken: a scan's head makes no sense")
        if bits & 0x0F == 0:  # not a first, rough version of them
            brought = (1 << last + 1) - (1 << first)
            for component in components:
                self.missing[component] &= ~brought
        return head[:-3] + bytes((first, last, bits))

    def shows_holes(self, head: bytes, tables: dict[int, int]) -> bool:
        """Whether a run of zeros in this scan cannot be a flat part of the picture.

        Args:
            tables: from `_codes_of_zeros`.
        """
        if self._progressive and (head[-3] == 0 or head[-1] >> 4):
            return False  # the first scan and those that refine bring plain bits, too
        used = {_AC | choice & 0x0F for choice in head[6:-3:2]}
        return any(tables.get(table, 0) & 0x0F for table in used)

    def is_complete(self) -> bool:
        return not any(self.missing.values())


def _codes_of_zeros(segment: bytes) -> dict[int, int]:
    """Huffman table (its class and number) -> the symbol whose code is all zeros: the first."""
    found, position = {}, 4
    while position + 17 < len(segment):
        found[segment[position]] = segment[position + 17]
        position += 17 + sum(segment[position + 1 : position + 17])
    return found


def _without_zeros_at_its_end(coded: bytes) -> bytes:
    """The last scan without what fills up a camera's block of memory. Where the zeros stand for a
    lost part of the picture, the decoder now lacks that part and says so."""
    end = coded.rstrip(b"\0")
    return end + b"\0" if end.endswith(b"\xff") and len(end) < len(coded) else end


def without_padding(data: bytes) -> bytes:
    """A stripped file without the zeros that some cameras write between a scan and its end."""
    return _PADDING.sub(b"", data)


def _known(segment: bytes, components: int) -> bytes:
    """A JFIF or Adobe segment with nothing in it that a decoder remarks on: it then takes for
    granted what is written here."""
    if _is(segment, _JFIF) and len(segment) > 10:
        return segment[:9] + b"\1" + segment[10:]
    if _is(segment, _ADOBE) and len(segment) > 15:
        usual = {3: 1, 4: 2}.get(components, 0)
        return segment[:15] + bytes([usual if segment[15] else 0]) + segment[16:]
    return segment


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


def _is(segment: bytes, *kinds: tuple[int, bytes]) -> bool:
    return any(segment[1] == marker and segment[4:].startswith(name) for marker, name in kinds)

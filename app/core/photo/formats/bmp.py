"""BMP: a header and rows of pixels, nothing to strip. JPEG and PNG inside a BMP are Pillow's to
refuse.

Limit: pixels and bytes of a run-length encoded one, which Pillow decodes byte by byte in Python.
No camera writes that.
"""

from __future__ import annotations

from ...errors import CorruptImage, UnsupportedImage
from .stripped import Stripped, check_size, unpack

_CORE_HEADER = 12
_HEADERS = frozenset({40, 52, 56, 64, 108, 124})
_RUN_LENGTH = frozenset({1, 2})
_MAX_RUN_LENGTH = 2_000_000


def strip(data: bytes, max_pixels: int) -> Stripped:
    """The file as it is.

    Raises:
        CorruptImage, UnsupportedImage, TooManyPixels.
    """
    (header,) = unpack("<I", data, 14, "header")
    if header == _CORE_HEADER:
        width, height = unpack("<HH", data, 18, "header")
        check_size(width, height, max_pixels)
        return Stripped(data, width, height)
    if header not in _HEADERS:
        raise CorruptImage("the image is broken: its header has no known size")
    width, height, _planes, _bits, compression = unpack("<IiHHI", data, 18, "header")
    check_size(width, abs(height), max_pixels)
    if compression in _RUN_LENGTH and width * abs(height) + len(data) > _MAX_RUN_LENGTH:
        raise UnsupportedImage("a large run-length encoded BMP is not supported; save it without")
    return Stripped(data, width, abs(height))

from __future__ import annotations

import base64
import struct

import pytest

from app.core.errors import CorruptImage, NotAnImage, UnsupportedImage
from app.core.photo.images import decode
from tests.support import encode, plain
from tests.torture.bombs import grey_tiff


def brand(name: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + name + bytes(4) + b"mif1" + name + bytes(4000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (brand(b"heic"), "HEIC.*Most Compatible"),
        (brand(b"mif1"), "HEIC.*JPEG"),
        (brand(b"avif"), "AVIF.*JPEG"),
        (brand(b"mp42"), "video"),
        (brand(b"qt  "), "video"),
        (brand(b"crx "), "CR3.*camera's JPEG"),
        (encode(plain(9), "GIF"), "GIF"),
        (encode(plain(9), "AVIF"), "AVIF"),
        (encode(plain(9), "ICO"), "ICO"),
        (encode(plain(9), "PPM"), "PPM"),
        (encode(plain(9), "JPEG2000"), "JPEG 2000"),
        (b"\xff\x0a" + bytes(50), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "JPEG XL"),
        (b"8BPS" + bytes(50), "PSD"),
        (b"%PDF-1.7\n" + bytes(50), "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b'<?xml version="1.0"?>\n<svg/>', "SVG"),
        (b"RIFF\x40\0\0\0AVI " + bytes(50), "AVI"),
        (b"II*\0\x10\0\0\0CR\2\0" + grey_tiff(8, 8)[12:] + bytes(99), "raw photo"),
        (grey_tiff(8, 8, t50706=(1, 4, 1)) + bytes(99), "raw photo"),
        (grey_tiff(8, 8, t254=(4, 1, 1)) + bytes(99), "raw photo"),
    ],
)
def test_a_kind_of_image_that_is_not_read_is_told_by_name(data: bytes, said: str) -> None:
    with pytest.raises(UnsupportedImage, match=said):
        decode(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"^the file is empty \(0 bytes\): copy it, or send it, again$"),
        (b"\xff\xd8", "too short"),
        (b'{"image": 1}', "JSON"),
        (b'[{"image": 1}]', "JSON"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\xef\xbb\xbf<html>", "web page"),
        (base64.b64encode(encode(plain(9), "JPEG")), "base64"),
        (base64.b64encode(encode(plain(9))), "base64"),
        (b"data:image/png;base64,iVBORw0KGgo", "base64"),
        (b"just some words\n", "this is text"),
        (b"PK\3\4" + bytes(99), "ZIP"),
        (b"\x1f\x8b" + bytes(99), "gzip"),
        (bytes(99), "JPEG, PNG"),
    ],
)
def test_what_is_no_image_is_told_by_what_it_is(data: bytes, said: str) -> None:
    with pytest.raises(NotAnImage, match=said):
        decode(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_a_file_cut_short_says_so(kind: str) -> None:
    data = encode(plain(9, (64, 64)), kind)
    with pytest.raises(CorruptImage, match="cut short"):
        decode(data[: len(data) - min(60, len(data) // 3)])

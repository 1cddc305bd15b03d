"""What a file is that is not read: its kind by its first bytes, and what to send instead.

Every decoder is code that strangers' bytes reach, so only formats that cameras in shops write are
read. All others are told by name: "not an image" helps nobody whose phone calls it a photo.
"""

from __future__ import annotations

import re

from ...errors import ImageError, NotAnImage, UnsupportedImage

EMPTY = "the file is empty (0 bytes): copy it, or send it, again"
_SEND = "send a JPEG or PNG"
FROM_PHONES = (
    "set the camera to JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible), or convert "
    "the photo to JPEG"
)

# First bytes -> kind. Raw photos that are TIFF by their first bytes are told further below.
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop (PSD)"),
    (b"%PDF-", "PDF"),
    (b"\0\0\1\0", "icon (ICO)"),
    (b"\0\0\2\0", "cursor (CUR)"),
    (b"qoif", "QOI"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "DDS"),
    (b"\x0a\x05\x01\x08", "PCX"),
    (b"FUJIFILMCCD-RAW", "raw photo (RAF)"),
    (b"IIRO", "raw photo (ORF)"),
    (b"IIRS", "raw photo (ORF)"),
    (b"IIU\0", "raw photo (RW2)"),
    (b"FOVb", "raw photo (X3F)"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\x1a\x45\xdf\xa3", "video (Matroska or WebM)"),
    (b"OggS", "Ogg"),
)
_PORTABLE = re.compile(rb"P[1-7][\s#]")
_RIFF = {b"AVI ": "video (AVI)", b"WAVE": "sound (WAV)"}

# ISO base media files, by their brand (ISO/IEC 14496-12): the four letters after `ftyp`.
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_HEIF = frozenset({b"mif1", b"msf1", b"mif2", b"mif3"})
_AVIF = frozenset({b"avif", b"avis"})
_RAW_BRANDS = frozenset({b"crx "})

_ARCHIVES = (
    (b"PK\3\4", "ZIP archive"),
    (b"\x1f\x8b", "gzip file"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    (b"Rar!", "RAR archive"),
)
# Base64 of the first bytes of JPEG, PNG, WebP, TIFF, BMP and GIF.
_BASE64 = (b"/9j/", b"iVBORw0KGgo", b"UklGR", b"SUkqA", b"TU0AK", b"Qk0", b"R0lGOD")
_TEXT_BYTES = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}
_LOOKED_AT = 512
_SHORTEST = 12


def refusal(data: bytes, readable: tuple[str, ...]) -> ImageError:
    """The error for a file of none of the readable formats, with what it is and what to send."""
    if not data:
        return NotAnImage(EMPTY)
    head = data[:_LOOKED_AT]
    if head[4:8] == b"ftyp":
        return _of_brand(head[8:12])
    for start, kind in _STARTS:
        if head.startswith(start):
            return _not_read(kind, _SEND)
    if _PORTABLE.match(head):
        return _not_read("portable bitmap (PBM, PGM, PPM or PAM)", _SEND)
    if head.startswith(b"RIFF") and head[8:12] in _RIFF:
        return _not_read(_RIFF[head[8:12]], "send a single photo, as JPEG or PNG")
    for start, kind in _ARCHIVES:
        if head.startswith(start):
            return NotAnImage(f"this is a {kind}, not an image: send each photo by itself")
    if text := _text(head):
        return text
    if len(data) < _SHORTEST:
        return NotAnImage(f"the file is too short for an image: {len(data)} bytes")
    return NotAnImage(f"not an image in a supported format ({', '.join(readable)})")


def _of_brand(brand: bytes) -> ImageError:
    if brand in _HEIC or brand in _HEIF:
        return _not_read("HEIC", FROM_PHONES)
    if brand in _AVIF:
        return _not_read("AVIF", "save the photo as JPEG or PNG")
    if brand in _RAW_BRANDS:
        return _not_read("raw photo (CR3)", "send the camera's JPEG")
    return _not_read("video (MP4 or QuickTime)", "send a single photo, as JPEG or PNG")


def _not_read(kind: str, send: str) -> UnsupportedImage:
    if kind.startswith("raw photo"):
        send = "send the camera's JPEG"
    return UnsupportedImage(f"this is {_article(kind)} {kind} file, which is not read: {send}")


def _article(kind: str) -> str:
    return "an" if kind[0] in "AEIOaeio" else "a"


def _text(head: bytes) -> ImageError | None:
    """The error for text of any kind; None where it is none."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text.lower()
    if b"<svg" in lower and lower.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")):
        return _not_read("SVG", "draw it as PNG; photos come as JPEG or PNG")
    if lower.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return NotAnImage(
            "this is a web page (HTML), not an image: look whether the photo's address asks for a "
            "login"
        )
    if lower.startswith(b"data:image/") or text.startswith(_BASE64):
        return NotAnImage(
            "this is text (base64), not an image: decode it and send the bytes themselves"
        )
    if text.startswith((b"{", b"[")) and _is_text(head):
        return NotAnImage("this is text (JSON), not an image: send the photo's bytes themselves")
    if _is_text(head):
        return NotAnImage("this is text, not an image: send the photo's bytes themselves")
    return None


def _is_text(head: bytes) -> bool:
    return len(head) > 0 and all(byte in _TEXT_BYTES for byte in head)

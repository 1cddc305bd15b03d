"""What people send in a photo's place, told by its first bytes: how to send it."""

from __future__ import annotations

from ...core.photo.formats.kinds import EMPTY

_BASE64 = (
    b"/9j/",  # JPEG
    b"iVBORw0KGgo",  # PNG
    b"UklGR",  # WebP
    b"Qk",  # BMP
    b"SUkq",  # TIFF
    b"TU0AK",
)
_TEXT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\r\n")
_LOOKED_AT = 256
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "a zip archive",
}


def how_to_send(field: str) -> str:
    """The end of an error: what a client is to do instead."""
    return f"send it as multipart/form-data in the field {field!r} (curl -F {field}=@photo.jpg)"


def mistake(data: bytes) -> str | None:
    """What the bytes are in a photo's place, and what to send; None where that cannot be told."""
    if not data:
        return EMPTY
    start = data[:_LOOKED_AT].lstrip()
    if start.startswith(b"data:"):
        return "this is a data: URL, not an image: send the bytes that it stands for"
    if start.startswith(_BASE64) and _TEXT.issuperset(start):
        return "this is base64 text, not an image: send the bytes that it stands for"
    if start[:1] in (b"{", b"["):
        return "this is JSON, not an image: send the photo's bytes alone"
    if start.startswith(b"--") and b"content-disposition:" in start.lower():
        return (
            "this is a multipart body under the content type of an image: send it as "
            "multipart/form-data with its boundary, or the photo's bytes alone"
        )
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            return f"this is compressed ({name}), not an image: send it uncompressed"
    return None

from __future__ import annotations

import base64
import gzip
import json

import pytest

from app.api.intake.mistakes import mistake
from app.core.photo.formats.kinds import EMPTY
from tests.support import encode, textured

PHOTOS = {kind: encode(textured(64, 48), kind) for kind in ("JPEG", "PNG", "BMP", "WEBP", "TIFF")}


@pytest.mark.parametrize("kind", PHOTOS)
def test_a_photo_is_no_mistake_and_its_base64_is_one(kind: str) -> None:
    text = base64.b64encode(PHOTOS[kind])
    assert mistake(PHOTOS[kind]) is None
    assert "base64" in str(mistake(text))
    assert "base64" in str(mistake(base64.encodebytes(PHOTOS[kind])))
    assert "data: URL" in str(mistake(b"data:image/png;base64," + text))
    assert "JSON" in str(mistake(json.dumps({"image": text.decode()}).encode()))
    assert "uncompressed" in str(mistake(gzip.compress(PHOTOS[kind])))


def test_nothing_is_called_empty() -> None:
    assert mistake(b"") == EMPTY


def test_a_multipart_body_is_told_by_its_first_part() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\xff\xd8'
    assert "multipart" in str(mistake(body))


@pytest.mark.parametrize("data", [b"no image", b"\0", b"--", b"/9j/ is how it begins"])
def test_what_cannot_be_told_is_not_guessed(data: bytes) -> None:
    assert mistake(data) is None

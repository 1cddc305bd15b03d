from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.bridge.sources.snapshot import REFUSED_AGAIN_S, Snapshot
from app.bridge.sources.source import SourceError
from tests.support import encode, textured
from tests.unit.bridge.sources.serving import Answer, Camera, Headers, digest, plain, serving

pytestmark = pytest.mark.anyio

PHOTO = encode(textured(64, 48), "JPEG")


def source(url: str, **options: Any) -> Snapshot:
    return Snapshot(
        "a", url, **{"every_s": 0.01, "timeout_s": 2.0, "max_bytes": 100_000, **options}
    )


async def photos(snapshot: Snapshot, count: int) -> list[bytes]:
    frames = snapshot.frames()
    try:
        return [(await anext(frames)).data for _ in range(count)]
    finally:
        await frames.aclose()


async def fault(answer: Answer, **options: Any) -> SourceError:
    async with serving(answer) as camera:
        with pytest.raises(SourceError) as caught:
            await photos(source(camera.url, **options), 1)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
async def test_photos_are_fetched_one_after_the_other(kind: str) -> None:
    photo = encode(textured(64, 48), kind)
    async with serving(plain(photo, Content_Type="text/plain")) as camera:  # content is trusted
        assert await photos(source(camera.url), 3) == [photo] * 3
    assert len(camera.requests) == 3


async def test_a_photo_that_has_not_changed_is_not_sent_again() -> None:
    async def answer(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
        same = asked.get("if-none-match") == '"1"'
        await plain(b"" if same else PHOTO, "304 Not Modified" if same else "200 OK", ETag='"1"')(
            camera, asked, writer
        )

    async with serving(answer) as camera:
        assert await photos(source(camera.url), 3) == [PHOTO] * 3
    assert ["if-none-match" in asked for asked in camera.requests] == [False, True, True]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_is_answered_and_remembered(algorithm: str) -> None:
    async with serving(digest(PHOTO, "admin", "s3cret:x", algorithm)) as camera:
        assert await photos(source(camera.url, username="admin", password="s3cret:x"), 4)
    # Asked without, asked again by the way of httpx, then with the password each time.
    assert ["authorization" in asked for asked in camera.requests] == [False, False, *[True] * 4]


async def test_a_user_in_the_url_will_do() -> None:
    async with serving(digest(PHOTO, "admin", "pw")) as camera:
        url = camera.url.replace("http://", "http://admin:pw@")
        assert await photos(source(url), 1) == [PHOTO]


async def test_a_wrong_password_is_told_and_not_tried_often() -> None:
    told = await fault(digest(PHOTO, "admin", "right"), username="admin", password="wrong")
    assert "refuses the user name or the password (401)" in str(told)
    assert "wrong" not in str(told)
    assert told.again_s == REFUSED_AGAIN_S
    told = await fault(digest(PHOTO, "admin", "right"))
    assert "asks for a password (401): set username and password_file" in str(told)


async def test_a_way_of_asking_that_nobody_knows_is_told() -> None:
    way = 'Digest realm="c", nonce="n", qop="auth-int", algorithm=MD5'
    told = await fault(
        plain(b"", "401 Unauthorized", WWW_Authenticate=way), username="a", password="b"
    )
    assert "asks for a password in a way that is not known" in str(told)


async def resets(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
    raise ConnectionResetError


async def hangs(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def drips(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(PHOTO)}\r\n\r\n".encode())
    for byte in PHOTO:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def breaks_off(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(PHOTO)}\r\n\r\n".encode() + PHOTO[:90])
    await writer.drain()
    raise ConnectionResetError


async def pours(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + PHOTO)
    while True:
        writer.write(b"\0" * 65536)
        await writer.drain()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (plain(b"<html>", Content_Type="text/html; charset=x"), "answers with text/html, not with"),
        (plain(b""), "answers with nothing"),
        (plain(PHOTO[:-9]), "sent a photo that is cut short"),
        (plain(b"", "404 Not Found"), "answers 404 Not Found"),
        (plain(b"", "302 Found", Location="/snapshot.jpg"), "sends us from address to address"),
        (resets, "cannot be reached: it closed the connection"),
        (breaks_off, "cannot be reached"),
        (hangs, "did not answer within 0.5 s"),
        (drips, "did not answer within 0.5 s"),
        (pours, "sends more than 100,000 bytes: allow more with max_bytes"),
    ],
)
async def test_what_cameras_do_wrong_is_told_in_a_sentence(answer: Answer, words: str) -> None:
    assert words in str(await fault(answer, timeout_s=0.5))


async def test_a_camera_that_is_off_is_told() -> None:
    async with serving(plain(PHOTO)) as camera:
        url = camera.url
    with pytest.raises(SourceError, match="cannot be reached: nothing answers there"):
        await photos(source(url), 1)


async def test_passwords_are_not_told() -> None:
    told = await fault(plain(b"", "500 Oops"), timeout_s=0.5)
    assert "500 Oops" in str(told)
    with pytest.raises(SourceError) as caught:
        await photos(source("http://u:s3cret@127.0.0.1:9/x.jpg"), 1)
    assert "s3cret" not in str(caught.value)
    assert "127.0.0.1:9/x.jpg" in str(caught.value)

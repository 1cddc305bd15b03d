"""What a client is told that sends a photo in a form that is not taken."""

from __future__ import annotations

import asyncio
import base64
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.service import (
    DEFECTIVE,
    GOOD,
    Service,
    assert_problem,
    listening,
    serve,
)

pytestmark = pytest.mark.anyio

PNG = {"content-type": "image/png"}
ONE, SEVERAL, BATCH = "/score/can", "/score?category=can", "/score/can/batch"


@pytest.mark.parametrize("path", [ONE, SEVERAL])
@pytest.mark.parametrize("size", [10, 2_000_000])
async def test_a_part_without_a_file_name_is_told_so(
    path: str, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with serve(tmp_path_factory.mktemp("large")) as service:
        answer = await service.client.post(path, files={"file": (None, bytes(size))})
    detail = assert_problem(answer, 422, "bad-upload")["detail"]
    assert "has no file name" in detail
    assert "-F file=@photo.jpg" in detail


@pytest.mark.parametrize(("path", "field"), [(ONE, "file"), (SEVERAL, "file"), (BATCH, "files")])
async def test_another_field_is_told_which_is_asked_for(
    service: Service, path: str, field: str
) -> None:
    answer = await service.client.post(path, files={"image": ("a.png", GOOD)}, data={"shop": "7"})
    detail = assert_problem(answer, 422, "bad-upload")["detail"]
    assert f"no file in the field {field!r}" in detail
    assert "'image'" in detail
    assert "'shop'" in detail


@pytest.mark.parametrize("path", [ONE, SEVERAL, BATCH])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, identity"])
async def test_an_encoded_body_is_415_and_not_read(
    service: Service, path: str, coding: str
) -> None:
    body = gzip.compress(GOOD) if "gzip" in coding.lower() else zlib.compress(GOOD)
    kind = "multipart/form-data; boundary=x" if path == BATCH else "image/png"
    headers = {"content-type": kind, "content-encoding": coding}
    answer = await service.client.post(path, content=body, headers=headers)
    detail = assert_problem(answer, 415, "unsupported-media-type")["detail"]
    assert "send it uncompressed" in detail
    assert answer.headers["accept-encoding"] == "identity"


async def test_identity_is_no_encoding(service: Service) -> None:
    answer = await service.client.post(
        ONE, content=GOOD, headers=PNG | {"content-encoding": "identity"}
    )
    assert answer.status_code == 200


MISTAKES = [
    (b"", "0 bytes"),
    (base64.b64encode(GOOD), "base64"),
    (b"data:image/png;base64," + base64.b64encode(GOOD), "data: URL"),
    (b'{"image": "iVBORw0KGgo="}', "JSON"),
    (gzip.compress(GOOD), "uncompressed"),
]


@pytest.mark.parametrize(("body", "words"), MISTAKES)
async def test_what_is_sent_in_a_photos_place_is_named(
    service: Service, body: bytes, words: str
) -> None:
    alone = await service.client.post(ONE, content=body, headers=PNG)
    assert words in assert_problem(alone, 422, "not-an-image")["detail"]
    in_form = await service.score(body)
    assert words in assert_problem(in_form, 422, "not-an-image")["detail"]
    (item,) = (await service.client.post(SEVERAL, content=body, headers=PNG)).json()["results"]
    assert words in item["problem"]["detail"]


async def test_in_a_batch_it_does_not_cost_the_others(service: Service) -> None:
    results = (await service.batch(GOOD, *(body for body, _ in MISTAKES), DEFECTIVE)).json()[
        "results"
    ]
    assert [item["verdict"] for item in results] == [
        "normal", *["unusable"] * len(MISTAKES), "anomalous",
    ]  # fmt: skip
    for item, (_, words) in zip(results[1:-1], MISTAKES, strict=True):
        assert words in item["problem"]["detail"]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
async def test_another_content_type_is_told_what_to_send(
    service: Service, content_type: str
) -> None:
    answer = await service.client.post(ONE, content=b"{}", headers={"content-type": content_type})
    detail = assert_problem(answer, 415, "unsupported-media-type")["detail"]
    assert "-F file=@photo.jpg" in detail
    assert "--data-binary @photo.jpg" in detail


async def test_a_body_shorter_than_announced_is_told_so(service: Service) -> None:
    headers = PNG | {"content-length": str(len(GOOD) + 1)}
    answer = await service.client.post(ONE, content=GOOD, headers=headers)
    detail = assert_problem(answer, 422, "bad-upload")["detail"]
    assert f"cut short: {len(GOOD)} of the {len(GOOD) + 1} bytes" in detail


async def test_a_body_in_pieces_is_not_measured_by_a_length_beside_them(service: Service) -> None:
    headers = PNG | {"transfer-encoding": "chunked", "content-length": str(len(GOOD) + 5)}
    answer = await service.client.post(ONE, content=GOOD, headers=headers)
    assert answer.status_code == 200
    answer = await service.client.post(ONE, content=b"", headers=headers)
    assert "the file is empty (0 bytes)" in answer.json()["detail"]


async def test_a_form_without_its_end_is_told_so(service: Service) -> None:
    request = service.client.build_request("POST", ONE, files={"file": ("a.png", GOOD)})
    body = request.read()[:-40]
    answer = await service.client.post(
        ONE, content=body, headers={"content-type": request.headers["content-type"]}
    )
    assert "cut short" in assert_problem(answer, 422, "bad-upload")["detail"]


async def test_the_budget_of_bodies_is_given_back_whatever_came(tmp_path: Path) -> None:
    async with serve(tmp_path, max_bytes=2_000, max_batch=3) as service:
        for photos in ((GOOD,), (bytes(5_000), GOOD), (b"",), (GOOD,) * 4):
            await service.batch(*photos)
        assert service.app.state.services.bodies.held == 0


@pytest.mark.parametrize(
    ("path", "form"),
    [(ONE, True), (ONE, False), (SEVERAL, True), (SEVERAL, False), (BATCH, True)],
)
async def test_an_upload_is_in_memory_once(path: str, form: bool, tmp_path: Path) -> None:
    """To the end of the request: 20 MB that are no photo peak at 20 MB and a little."""
    size, piece = 20 << 20, b"no image" * 8192
    field = "files" if path == BATCH else "file"
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="a"\r\n\r\n'.encode()

    async def body() -> AsyncIterator[bytes]:
        if form:
            yield head
        for _ in range(size // len(piece)):
            yield bytes(bytearray(piece))  # new ones, as they come from a socket
        if form:
            yield b"\r\n--x--\r\n"

    kind = "multipart/form-data; boundary=x" if form else "image/png"
    async with serve(tmp_path) as service:
        await service.score(GOOD)  # what is loaded once is not the upload's
        tracemalloc.start()
        try:
            answer = await service.client.post(path, content=body(), headers={"content-type": kind})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert "not-an-image" in answer.text
        assert service.app.state.services.bodies.held == 0
    assert peak < 1.2 * size


async def test_a_client_that_sends_less_than_it_said_costs_nothing(tmp_path: Path) -> None:
    """Nobody is left to be told; the service goes on, and counts nothing of it."""
    async with serve(tmp_path) as service, listening(service) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {ONE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        writer.write(f"{head}Content-Length: {len(GOOD) + 10}\r\n\r\n".encode() + GOOD)
        await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(10):
            assert b" 200 " not in await reader.read()
        writer.close()
        assert (await service.score(GOOD)).status_code == 200
        assert service.app.state.services.bodies.held == 0

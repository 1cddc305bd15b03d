from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.service import GOOD, Chunks, Service, assert_problem, serve
from tests.support import encode, plain

pytestmark = pytest.mark.anyio

LIMIT = 50_000
SLACK = 64 << 10  # for multipart's own lines


@pytest.fixture(scope="module")
async def small(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    async with serve(
        tmp_path_factory.mktemp("limits"), max_bytes=LIMIT, max_pixels=2_000, max_batch=2
    ) as running:
        yield running


@pytest.mark.parametrize("content_type", ["image/png", "multipart/form-data; boundary=x"])
async def test_an_announced_length_over_the_limit_is_refused_unread(
    small: Service, content_type: str
) -> None:
    body = Chunks()
    answer = await small.client.post(
        "/score/can",
        content=body,
        headers={"content-type": content_type, "content-length": str(10 * LIMIT)},
    )
    assert_problem(answer, 413, "body-too-large")
    assert body.taken == 0


async def test_a_raw_body_without_a_length_is_refused_while_reading(small: Service) -> None:
    body = Chunks(size=1024, number=10_000)
    answer = await small.client.post(
        "/score/can", content=body, headers={"content-type": "image/png"}
    )
    assert_problem(answer, 413, "body-too-large")
    assert LIMIT < body.taken <= LIMIT + 2 * 1024


@pytest.mark.parametrize(("path", "photos"), [("/score/can", 1), ("/score/can/batch", 2)])
async def test_multipart_without_a_length_is_refused_while_reading(
    small: Service, path: str, photos: int
) -> None:
    field = b"file" if photos == 1 else b"files"
    head = b'--x\r\nContent-Disposition: form-data; name="' + field + b'"; filename="a"\r\n\r\n'
    body = Chunks(size=1024, number=10_000, first=head)
    answer = await small.client.post(
        path, content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert_problem(answer, 413, "body-too-large")
    assert body.taken <= photos * (LIMIT + SLACK) + 2 * 1024


async def test_a_refused_body_ends_the_connection(small: Service) -> None:
    answer = await small.client.post(
        "/score/can", content=bytes(LIMIT + 1), headers={"content-type": "image/png"}
    )
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(("extra", "status"), [(0, 422), (1, 413)])
async def test_the_byte_limit_is_inclusive(small: Service, extra: int, status: int) -> None:
    for answer in (
        await small.score(bytes(LIMIT + extra)),
        await small.client.post(
            "/score/can", content=bytes(LIMIT + extra), headers={"content-type": "image/png"}
        ),
    ):
        assert answer.status_code == status


@pytest.mark.parametrize("length", ["-5", "many", "1e9", "9" * 400])
async def test_a_length_that_is_no_number_is_no_500(small: Service, length: str) -> None:
    answer = await small.client.post(
        "/score/can",
        content=GOOD,
        headers={"content-type": "image/png", "content-length": length},
    )
    assert answer.status_code in (200, 400, 413)


async def test_the_pixel_limit_is_the_settings(small: Service) -> None:
    assert (await small.score(encode(plain(120, (50, 40))))).status_code == 200
    answer = await small.score(encode(plain(120, (50, 41))))
    assert "2,000" in assert_problem(answer, 422, "too-many-pixels")["detail"]

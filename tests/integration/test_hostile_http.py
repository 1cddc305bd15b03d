"""Whatever comes over the wire gets its documented answer, soon, and never a 5xx."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.service import CURSED, GOOD, Service, assert_problem, listening, serve
from tests.support import encode, plain
from tests.torture import corpus
from tests.torture.bombs import STRUCTURES

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::UserWarning")]

SOON_S = 10.0
TIMEOUT_S = 0.4
MEMORY = 100_000


@dataclass
class Wire:
    """A service that listens on the loopback, and what reaches it by bytes."""

    service: Service
    port: int

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, *pieces: bytes, pause: float = 0.0) -> tuple[int, bytes]:
        """Bytes as they are, with pauses between; the answer's status and all of it."""
        reader, writer = await self.open()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            async with asyncio.timeout(SOON_S):
                answer = await reader.read(65_536)
        finally:
            writer.close()
        return int(answer.split(b" ", 2)[1] if answer else 0), answer


@asynccontextmanager
async def wired(root: Path, **settings: Any) -> AsyncIterator[Wire]:
    async with (
        serve(root, max_upload_bytes=MEMORY, **settings) as running,
        listening(running) as port,
    ):
        yield Wire(running, port)


@pytest.fixture(scope="module")
async def wire(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    async with wired(tmp_path_factory.mktemp("wire")) as patient:
        yield patient


@pytest.fixture(scope="module")
async def impatient(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Wire]:
    """For what never comes: on a busy machine what is sent in one go may take as long, too."""
    async with wired(tmp_path_factory.mktemp("impatient"), body_timeout_s=TIMEOUT_S) as made:
        yield made


def part(name: str, body: bytes, *, filename: str | None = "p.png", extra: str = "") -> bytes:
    disposition = f'form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    head = f"--x\r\nContent-Disposition: {disposition}\r\n{extra}\r\n"
    return head.encode("utf-8", "surrogateescape") + body + b"\r\n"


END = b"--x--\r\n"
MULTIPART = "multipart/form-data; boundary=x"

MALFORMED: dict[str, tuple[str, bytes]] = {
    "no boundary": ("multipart/form-data", part("file", GOOD) + END),
    "empty boundary": ("multipart/form-data; boundary=", part("file", GOOD) + END),
    "huge boundary": (f"multipart/form-data; boundary={'b' * 5000}", part("file", GOOD) + END),
    "another boundary": ("multipart/form-data; boundary=y", part("file", GOOD) + END),
    "nothing": (MULTIPART, b""),
    "only an end": (MULTIPART, END),
    "no photo": (MULTIPART, part("other", GOOD) + END),
    "a field, no file": (MULTIPART, part("file", GOOD, filename=None) + END),
    "two photos": (MULTIPART, part("file", GOOD) * 2 + END),
    "thousands of photos": (MULTIPART, part("file", b"") * 5000 + END),
    "thousands of fields": (MULTIPART, part("a", b"", filename=None) * 5000 + END),
    "a huge field": (MULTIPART, part("a", bytes(2 << 20), filename=None) + END),
    "a huge header": (MULTIPART, part("file", GOOD, extra=f"X: {'v' * 70_000}\r\n") + END),
    "thousands of headers": (MULTIPART, part("file", GOOD, extra="X: v\r\n" * 5000) + END),
    "a header of no name": (MULTIPART, part("file", GOOD, extra=": v\r\n") + END),
    "no disposition": (MULTIPART, b"--x\r\nContent-Type: image/png\r\n\r\n" + GOOD + b"\r\n" + END),
    "junk before": (MULTIPART, b"junk" + part("file", GOOD) + END),
    "binary": (MULTIPART, bytes(range(256)) * 100),
    "nested": (
        MULTIPART,
        part(
            "file", b"--y\r\n\r\n" + GOOD + b"\r\n--y--", extra="Content-Type: multipart/mixed\r\n"
        )
        + END,
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_multipart_is_a_bad_upload(service: Service, name: str) -> None:
    content_type, body = MALFORMED[name]
    with anyio.fail_after(SOON_S):
        answer = await service.client.post(
            "/score/can", content=body, headers={"content-type": content_type}
        )
    if answer.status_code == 413:
        assert_problem(answer, 413, "body-too-large")
    else:
        slug = "not-an-image" if name == "nested" else "bad-upload"
        assert_problem(answer, 422, slug)


async def test_a_multipart_body_without_its_end_is_no_500(service: Service) -> None:
    answer = await service.client.post(
        "/score/can", content=part("file", GOOD)[:-30], headers={"content-type": MULTIPART}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "charset",
    ["utf-7", "unicode_escape", "raw_unicode_escape", "utf-16", "idna", "punycode", "undefined",
     "zlib", "rot13", "hex", "no-such", "", "..", "a" * 5000, "utf-8\\x00", "mbcs"],
)  # fmt: skip
@pytest.mark.parametrize("filename", ["+2AA-.png", r"\ud800.png", "\udcff.png", "ü.png"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_file_name_in_any_encoding_is_no_500(
    service: Service, charset: str, filename: str
) -> None:
    answer = await service.client.post(
        "/score/can/batch",
        content=part("files", GOOD, filename=filename) + END,
        headers={"content-type": f'{MULTIPART}; charset="{charset}"'},
    )
    assert answer.status_code in (200, 422)
    json.dumps(answer.json()).encode()


@pytest.mark.parametrize(
    "filename",
    ["../../etc/passwd", "..\\..\\boot.ini", "%2e%2e%2f", "a\0b.png", "con", ".", "x" * 10_000,
     "\u202egnp.exe", "<script>alert(1)</script>", "file:///etc/passwd", "💥" * 500, ""],
)  # fmt: skip
async def test_a_file_name_is_only_ever_repeated_and_never_at_length(
    service: Service, filename: str
) -> None:
    answer = await service.client.post(
        "/score/can/batch",
        content=part("files", GOOD, filename=filename) + END,
        headers={"content-type": MULTIPART},
    )
    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        (result,) = answer.json()["results"]
        assert len(result["filename"] or "") <= 255
        assert result["verdict"] == "normal"


NAMES = [
    "..", "%2e%2e", "..%2fcan", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "can%00", "%00", "can%0a",
    "can%2f..%2fcan", "CAN", "c" * 65, "c" * 5000, "%ff%fe", "ｃａｎ", "can%20", "%C0%AE%C0%AE",
    "can;x=1", "~root", "can\\..\\box", "%252e%252e", "models", "current", "*", "null",
    "{category}", "-can", "__proto__", "%F0%9F%92%A5",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/score/{}"),
        ("POST", "/score/{}/batch"),
        ("GET", "/categories/{}"),
        ("GET", "/evaluate/{}"),
        ("POST", "/evaluate/{}"),
    ],
)
async def test_no_category_name_reaches_anything(
    service: Service, method: str, path: str, name: str
) -> None:
    files = {"file": ("p.png", GOOD)} if method == "POST" else None
    answer = await service.client.request(method, path.format(name), files=files)
    if answer.status_code == 303:  # the client has made / of it
        assert (answer.request.url.path, answer.headers["location"]) == ("/", "page/now")
        return
    assert answer.status_code in (404, 405, 422), answer.text
    detail = answer.json()["detail"].replace(name, "")
    for own in ("GET /categories", "POST /score/", "; /docs shows"):
        detail = detail.replace(own, "")
    assert "/" not in detail


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("image/png", 200), ("IMAGE/PNG", 200), ("image/anything; q=1", 200), ("image/", 200),
        ("", 415), ("image", 415), ("text/html", 415), ("application/octet-stream", 415),
        ("application/x-www-form-urlencoded", 415), ("multipart/mixed; boundary=x", 415),
        ("multipart/form-datax; boundary=x", 415), ("\xff\xfe", 415), ("image/png\xff", 200),
        (",image/png", 415), ("multipart/form-data; boundary=\xff", 422),
    ],
)  # fmt: skip
async def test_content_types(service: Service, content_type: str, status: int) -> None:
    headers = [(b"content-type", content_type.encode("latin-1"))]
    answer = await service.client.post("/score/can", content=GOOD, headers=headers)
    assert answer.status_code == status


async def test_a_missing_content_type_is_415(service: Service) -> None:
    answer = await service.client.post("/score/can", content=GOOD)
    assert_problem(answer, 415, "unsupported-media-type")


async def test_a_photo_that_makes_nan_is_told_so(service: Service) -> None:
    assert_problem(await service.score(CURSED), 422, "no-finite-score")


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_damaged_photos_are_never_a_5xx(hostile_client: Client, seed: int) -> None:
    mix = random.Random(seed)
    photos = [corpus.photo(mix)[1] for _ in range(3)]
    files = [("files", (f"{i}", photo)) for i, photo in enumerate(photos)]
    assert hostile_client("/score/can/batch", files=files).status_code == 200
    answer = hostile_client("/score/can", content=photos[0], headers={"content-type": "image/jpeg"})
    assert answer.status_code in (200, 422)


@settings(max_examples=100)
@given(
    pieces=st.lists(
        st.sampled_from(
            [
                b"--x\r\n",
                b"--x--\r\n",
                b"\r\n",
                b"--x",
                b"\r\n--x",
                b" ",
                b"\0",
                b"--",
                b"\r",
                b"\n",
            ]
        )
        | st.sampled_from([part("file", GOOD), part("file", b"", filename=None), GOOD])
        | st.binary(max_size=40),
        max_size=12,
    ),
    content_type=st.sampled_from([MULTIPART, 'multipart/form-data; boundary="x"', "image/x"]),
)
def test_any_mix_of_multipart_pieces_is_never_a_5xx(
    hostile_client: Client, pieces: list[bytes], content_type: str
) -> None:
    answer = hostile_client(
        "/score/can", content=b"".join(pieces), headers={"content-type": content_type}
    )
    assert answer.status_code in (200, 413, 422)


Client = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def hostile_client(service: Service, anyio_backend: str) -> Client:
    """Requests from synchronous tests, which Hypothesis needs, on a loop of their own."""

    def post(path: str, **options: object) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(service.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return await client.post(path, **options)  # type: ignore[arg-type]

        return asyncio.run(asyncio.wait_for(ask(), SOON_S))

    return post


# Those of which the making alone takes seconds are in the long run.
QUICK = [n for n in STRUCTURES if "scans" not in n and "16,383" not in n and "64,000" not in n]


@pytest.mark.parametrize("name", QUICK)
async def test_a_bomb_is_an_answer_as_any_other(
    name: str, anyio_backend: str, bombed: Service
) -> None:
    with anyio.fail_after(SOON_S):
        answer = await bombed.client.post(
            "/score/can", content=STRUCTURES[name](), headers={"content-type": "image/x"}
        )
    assert answer.status_code in (200, 422)


@pytest.fixture(scope="module")
async def bombed(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    async with serve(tmp_path_factory.mktemp("bombed")) as running:
        yield running


def request(
    body: bytes = b"", *headers: str, path: str = "/score/can", kind: str = "image/png"
) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", *headers]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def pieces_of(body: bytes, number: int) -> Sequence[bytes]:
    size = -(-len(body) // number)
    return [body[i : i + size] for i in range(0, len(body), size)]


async def read_until_closed(reader: asyncio.StreamReader) -> bytes:
    """All that is answered; a reset after it, for bytes that came too late, closes as well."""
    answer = b""
    with suppress(ConnectionResetError):
        while piece := await reader.read(65_536):
            answer += piece
    return answer


async def test_a_trickling_body_gets_408_and_its_connection_is_closed(impatient: Wire) -> None:
    reader, writer = await impatient.open()
    writer.write(request(GOOD[:5], "Content-Length: 5000"))
    answering = asyncio.ensure_future(read_until_closed(reader))
    with closing(writer), anyio.fail_after(SOON_S):
        while not (await asyncio.wait([answering], timeout=TIMEOUT_S / 10))[0]:
            writer.write(b"x")
    answer = answering.result()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:goodsguard:body-timeout" in answer
    assert b"connection: close" in answer.lower()
    assert impatient.service.app.state.services.bodies.held == 0


@pytest.mark.parametrize("kind", ["image/png", MULTIPART])
@pytest.mark.parametrize("length", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
async def test_a_body_that_never_comes_gets_408(impatient: Wire, kind: str, length: str) -> None:
    status, _ = await impatient.send(request(b"", length, kind=kind))
    assert status == 408


async def test_a_body_that_comes_in_time_piece_by_piece_is_judged(wire: Wire) -> None:
    head = request(b"", f"Content-Length: {len(GOOD)}")
    status, _ = await wire.send(head, *pieces_of(GOOD, 5), pause=TIMEOUT_S / 20)
    assert status == 200


async def test_a_body_in_chunks_of_one_byte_is_judged(wire: Wire) -> None:
    body = b"".join(b"1\r\n" + GOOD[i : i + 1] + b"\r\n" for i in range(len(GOOD))) + b"0\r\n\r\n"
    assert (await wire.send(request(body, "Transfer-Encoding: chunked")))[0] == 200


async def test_bodies_together_are_bounded_and_who_leaves_makes_room(wire: Wire) -> None:
    bodies = wire.service.app.state.services.bodies
    _, holder = await wire.open()
    with closing(holder):
        holder.write(request(bytes(MEMORY - 50), f"Content-Length: {MEMORY}"))
        await until(lambda: bodies.held == MEMORY - 50)
        status, answer = await wire.send(request(GOOD, f"Content-Length: {len(GOOD)}"))
        assert status == 429
        assert b"retry-after: 1" in answer.lower()
        assert b"urn:goodsguard:overloaded" in answer
    await until(lambda: bodies.held == 0)
    assert (await wire.send(request(GOOD, f"Content-Length: {len(GOOD)}")))[0] == 200


async def test_a_body_alone_may_be_larger_than_the_bound(wire: Wire) -> None:
    large = encode(plain(120), "PNG") + bytes(2 * MEMORY)
    assert (await wire.send(request(large, f"Content-Length: {len(large)}")))[0] == 200


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(SOON_S):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\1\2\3\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"POST /score/can HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n"
        b"\r\nabcdef",
        b"POST /score/can HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        request(b"zz\r\nabc\r\n", "Transfer-Encoding: chunked"),
        request(b"ffffffffffffffff\r\nabc\r\n", "Transfer-Encoding: chunked"),
        request(b"", "Content-Length: -1"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # TLS
    ],
    ids=lambda raw: raw[:24],
)
async def test_what_is_no_http_is_refused_and_the_service_lives(
    impatient: Wire, raw: bytes
) -> None:
    status, _ = await impatient.send(raw)
    assert status < 500
    assert (await impatient.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"))[0] == 200


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(wire: Wire) -> None:
    bodies = wire.service.app.state.services.bodies
    for _ in range(20):
        _, writer = await wire.open()
        writer.write(request(GOOD[:50], "Content-Length: 5000"))
        await writer.drain()
        writer.transport.abort()
    await until(lambda: bodies.held == 0)
    assert (await wire.send(request(GOOD, f"Content-Length: {len(GOOD)}")))[0] == 200

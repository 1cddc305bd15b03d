"""Hostile requests without end, as bytes for the wire: photos, forms, names, headers, no HTTP.

`request(seed, index)` is one of them, the same every time, so that what failed can be sent again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote_from_bytes

from tests.torture import bombs, corpus

CATEGORY = "can"
# Of the files of 30 MB a few will do: they cost the client as much as the service.
_LARGE_FILES = ("jpeg: junk between segments", "jpeg: stuffed scan", "png: empty chunks")
_SMALL_FILE = 2 << 20
_BOUNDARY = b"x-boundary-x"


@dataclass(frozen=True)
class HostileRequest:
    """One request.

    Attributes:
        raw: all that is sent. whole: an answer is due; else the client leaves, or it is no HTTP.
    """

    kind: str
    raw: bytes
    whole: bool = True


def prepare() -> None:
    """Make what takes long to make, which must not happen between two requests."""
    corpus.intact(), corpus.foreign(), _bombs(), _large()


def request(seed: int, index: int) -> HostileRequest:
    """The request of that number."""
    mix = random.Random(seed << 32 | index)
    (make,) = mix.choices([make for make, _ in _KINDS], [weight for _, weight in _KINDS])
    return make(mix)


def _post(
    path: str | bytes,
    content_type: bytes | None,
    body: bytes,
    *headers: bytes,
    method: str = "POST",
) -> bytes:
    target = path if isinstance(path, bytes) else path.encode("latin-1")
    lines = [b" ".join((method.encode(), target, b"HTTP/1.1")), b"Host: localhost"]
    if content_type is not None:
        lines.append(b"Content-Type: " + content_type)
    return b"\r\n".join((*lines, b"Content-Length: %d" % len(body), *headers, b"", body))


def _form(mix: random.Random, name: bytes, photos: list[bytes]) -> bytes:
    parts = [
        b"--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n\r\n%s\r\n"
        % (_BOUNDARY, name, _file_name(mix), photo)
        for photo in photos
    ]  # fmt: skip
    return b"".join(parts) + b"--" + _BOUNDARY + b"--\r\n"


_MULTIPART = b"multipart/form-data; boundary=" + _BOUNDARY
_NAMES = (
    b"..", b"../../etc/passwd", b"..\\..\\x", b"a\0b", b"\xff\xfe", b"%2e%2e%2f", b"{}", b"",
    b"\xe2\x80\xae", b"\xed\xa0\x80", b"con", b"*", b"$(id)", b"'; --", b"+2AA-", rb"\ud800",
)  # fmt: skip


def _file_name(mix: random.Random) -> bytes:
    if mix.random() < 0.6:
        return b"photo.jpg"
    if mix.random() < 0.3:
        return mix.randbytes(mix.randrange(60)).replace(b'"', b"").replace(b"\r", b"")
    return mix.choice(_NAMES) * mix.choice((1, 1, 1, 400))


def _photo_body(mix: random.Random) -> HostileRequest:
    kind, data = corpus.photo(mix)
    content_type = mix.choice((b"image/jpeg", b"image/png", b"image/x", b"IMAGE/WEBP"))
    path = f"/score/{CATEGORY}" + mix.choice(("", "", "?heatmap=true"))
    return HostileRequest(f"photo, {kind}", _post(path, content_type, data))


def _photo_form(mix: random.Random) -> HostileRequest:
    kind, data = corpus.photo(mix)
    body = _form(mix, b"file", [data])
    return HostileRequest(f"form, {kind}", _post(f"/score/{CATEGORY}", _MULTIPART, body))


def _batch(mix: random.Random) -> HostileRequest:
    photos = [corpus.photo(mix)[1] for _ in range(mix.choice((0, 1, 2, 5, 17, 40)))]
    body = _form(mix, b"files", photos)
    return HostileRequest("batch", _post(f"/score/{CATEGORY}/batch", _MULTIPART, body))


_CHARSETS = (
    b"utf-7", b"utf-16", b"unicode_escape", b"raw_unicode_escape", b"idna", b"punycode",
    b"undefined", b"zlib", b"hex", b"nothing", b"", b"\xff",
)  # fmt: skip


def _damaged_form(mix: random.Random) -> HostileRequest:
    """A form of which the marks, not the photo, are damaged; or a mix of its pieces."""
    name = mix.choice((b"file", b"files", b"other", b""))
    body = _form(mix, name, [corpus.photo(mix)[1][:300] for _ in range(mix.randint(0, 3))])
    pieces = (b"\r\n", b"--", b"--" + _BOUNDARY, b"--" + _BOUNDARY + b"\r\n", b": ", b" ", b"\0")
    match mix.randrange(4):
        case 0:
            body = mix.choice(list(corpus.DAMAGE.values()))(mix, body)
        case 1:
            body = b"".join(mix.choice((*pieces, body)) for _ in range(mix.randrange(30)))
        case 2:
            body = body[: mix.randrange(len(body))]
        case _:
            many = mix.choice((2, 10, 1000))
            body = body.replace(
                mix.choice(pieces[:4]), mix.choice(pieces) * many, mix.randint(1, 3)
            )
    content_type = mix.choice(
        (
            _MULTIPART,
            _MULTIPART + b'; charset="' + mix.choice(_CHARSETS) + b'"',
            b"multipart/form-data",
            b"multipart/form-data; boundary=",
            b"multipart/form-data; boundary=" + b"b" * 3000,
            b'multipart/form-data; boundary="\xff"',
        )
    )
    path = f"/score/{CATEGORY}" + mix.choice(("", "/batch"))
    return HostileRequest("damaged form", _post(path, content_type, body[: 4 << 20]))


def _content_type(mix: random.Random) -> HostileRequest:
    kinds = (
        None, b"", b"image", b"image/", b"text/html", b"application/json", b"*/*", b"image/*;q=0",
        b"multipart/mixed", b"multipart/form-data;;;", b"\xff\xfe", b"a" * 4000, b"image/png\t",
        b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x; boundary=y",
    )  # fmt: skip
    data = corpus.photo(mix)[1]
    return HostileRequest("content type", _post(f"/score/{CATEGORY}", mix.choice(kinds), data))


def _path(mix: random.Random) -> HostileRequest:
    name = mix.choice((*_NAMES, mix.randbytes(mix.randrange(1, 40)), b"c" * mix.choice((65, 6000))))
    escaped = quote_from_bytes(name, safe=mix.choice(("", "/", "/%")))
    form = mix.choice(
        ("/score/{}", "/score/{}/batch", "/categories/{}", "/evaluate/{}", "/{}", "/score/{}/..",
         "//score//{}", "/admin/categories/{}/rollback", "/score?category={}", "/docs/{}")
    )  # fmt: skip
    target = form.format(escaped)
    if mix.random() < 0.3:
        return HostileRequest("path", _post(target, b"image/png", b"x" * 10))
    method = mix.choice(("GET", "GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"))
    return HostileRequest("path", _post(target, None, b"", method=method))


def _headers(mix: random.Random) -> HostileRequest:
    choices = (
        b"X-Request-ID: " + mix.choice(_NAMES).replace(b"\0", b""),
        b"X-Request-ID: " + b"i" * 5000,
        b"X-Request-Timeout: " + mix.choice((b"nan", b"inf", b"-1", b"0", b"x", b"1e999")),
        b"X-API-Key: \xff\xfe" + b"k" * 500,
        b"Authorization: Bearer " + b"\xe9" * 100,
        b"Expect: 100-continue",
        b"Origin: null",
        b"X-Forwarded-For: ::1, \xff",
        b"Range: bytes=0-",
        b"Cookie: " + b"a=b;" * 900,
    )
    picked = mix.sample(choices, mix.randint(1, 4))
    data = corpus.photo(mix)[1]
    return HostileRequest("headers", _post(f"/score/{CATEGORY}", b"image/png", data, *picked))


def _chunked(mix: random.Random) -> HostileRequest:
    data, size = corpus.photo(mix)[1][:3000], mix.choice((1, 7, 1000))
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    head = b"POST /score/can HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    return HostileRequest("chunked", head + b"Transfer-Encoding: chunked\r\n\r\n" + body)


def _leaves(mix: random.Random) -> HostileRequest:
    whole = mix.choice((_photo_form, _photo_body, _batch, _chunked))(mix).raw
    return HostileRequest("client leaves", whole[: mix.randrange(len(whole))], whole=False)


def _no_http(mix: random.Random) -> HostileRequest:
    raw = mix.choice(
        (
            mix.randbytes(mix.randrange(1, 3000)),
            corpus.photo(mix)[1] or b"\0",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST /score/can HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            b"POST /score/can HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
            b"Content-Length: 6\r\n\r\nabcdef",
            b"POST /score/can HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET /" + b"a" * 90_000 + b" HTTP/1.1\r\n\r\n",
            b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 30_000,
        )
    )
    return HostileRequest("no HTTP", raw, whole=False)


@cache
def _bombs() -> dict[str, bytes]:
    made = {name: make() for name, make in bombs.STRUCTURES.items() if name not in _LARGE_FILES}
    small = {name: data for name, data in made.items() if len(data) < _SMALL_FILE}
    return small | {name: bombs.STRUCTURES[name]() for name in _LARGE_FILES}


@cache
def _large() -> dict[str, bytes]:
    return {name: make() for name, make in bombs.LARGE.items()}


def _bomb(mix: random.Random) -> HostileRequest:
    data = mix.choice(list(_bombs().values()))
    return HostileRequest("bomb", _post(f"/score/{CATEGORY}", b"image/x", data))


def _at_the_pixel_limit(mix: random.Random) -> HostileRequest:
    data = mix.choice(list(_large().values()))
    return HostileRequest("64 megapixels", _post(f"/score/{CATEGORY}", b"image/x", data))


_KINDS: tuple[tuple[Callable[[random.Random], HostileRequest], float], ...] = (
    (_photo_body, 0.40),
    (_photo_form, 0.16),
    (_batch, 0.02),
    (_damaged_form, 0.12),
    (_content_type, 0.06),
    (_path, 0.10),
    (_headers, 0.04),
    (_chunked, 0.03),
    (_leaves, 0.03),
    (_no_http, 0.035),
    (_bomb, 0.004),
    (_at_the_pixel_limit, 0.0005),
)

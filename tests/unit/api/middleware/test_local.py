from __future__ import annotations

import pytest

from app.api.middleware.local import stranger

Headers = dict[str, str]


def ask(
    client: tuple[str, int] | None = ("127.0.0.1", 1),
    *,
    origins: tuple[str, ...] = (),
    **headers: str,
) -> str | None:
    sent = {"host": "localhost:8000"} | {k.replace("_", "-"): v for k, v in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    return stranger({"type": "http", "client": client, "headers": raw}, origins)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"]
)
def test_a_loopback_address_is_this_machine(address: str) -> None:
    assert ask((address, 50_000)) is None


def test_a_unix_socket_is_this_machine() -> None:
    assert ask(None) is None


@pytest.mark.parametrize(
    "address",
    [
        "192.168.1.2", "172.18.0.1", "8.8.8.8", "0.0.0.0", "::", "fe80::1%eth0", "::ffff:8.8.8.8",
        "testclient", "localhost", "", "127.1", "127.0.0.1.example",
    ],
)  # fmt: skip
def test_any_other_is_not(address: str) -> None:
    assert ask((address, 50_000)) == "this request comes from another one"


@pytest.mark.parametrize(
    ("forwarded", "local"),
    [("", True), ("127.0.0.1", True), ("::1, 127.0.0.1", True), ("8.8.8.8", False),
     ("127.0.0.1, 8.8.8.8", False), ("unknown", False)],
)  # fmt: skip
def test_what_a_proxy_hands_on_is_its_senders(forwarded: str, local: bool) -> None:
    assert (ask(x_forwarded_for=forwarded) is None) is local


@pytest.mark.parametrize(
    ("headers", "local"),
    [({"x_real_ip": "8.8.8.8"}, False), ({"x_real_ip": "127.0.0.1"}, True),
     ({"forwarded": "for=8.8.8.8"}, False), ({"via": "1.1 proxy"}, False),
     ({"x_forwarded_proto": "https"}, False), ({"x_forwarded_host": "localhost"}, False),
     ({"x_forwarded_proto": "https", "x_forwarded_for": "127.0.0.1"}, True),
     ({"x_real_ip": "127.0.0.1", "x_forwarded_for": "8.8.8.8"}, False)],
)  # fmt: skip
def test_other_headers_of_proxies_count(headers: Headers, local: bool) -> None:
    assert (ask(("127.0.0.1", 1), origins=(), **headers) is None) is local


def test_every_forwarded_header_counts() -> None:
    raw = [(b"host", b"localhost"), (b"x-forwarded-for", b"::1"), (b"x-forwarded-for", b"8.8.8.8")]
    assert stranger({"type": "http", "client": ("::1", 1), "headers": raw}) is not None


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST", "goods.localhost:80", "127.0.0.1:8000", "[::1]",
     "[::1]:8000"],
)  # fmt: skip
def test_names_of_this_machine(host: str) -> None:
    assert ask(host=host) is None
    assert ask(origin=f"http://{host}") is None


@pytest.mark.parametrize(
    "host", ["", "shop.example", "shop.example:8000", "localhost.example", "10.0.0.7:8000", ":8000"]
)
def test_a_name_that_is_made_to_lead_here_is_refused(host: str) -> None:
    assert ask(host=host) is not None


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "null",
        "http://10.0.0.7",
        "http://localhost.example",
        "http://[::1",
        "http://x@localhost.example",
        "",
    ],
)
def test_another_sites_page_is_refused_unless_it_is_allowed(origin: str) -> None:
    assert ask(origin=origin) == "this request comes from another site's page"
    assert ask(origin=origin, origins=(origin,)) is None

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from app.bridge.sinks.addresses import addresses, is_public
from app.bridge.sinks.cloud_event import MAX_BYTES, cloud_event
from app.bridge.sinks.signing import secrets_of
from app.bridge.sinks.sink import Gone, Refused, Retry
from app.bridge.sinks.webhook import Webhook, retry_after
from app.records.events import Event

from .web import Answer, Sent, Web, web

OLD = "whsec_" + base64.b64encode(bytes(range(24))).decode()
NEW = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
EVENT = Event(
    kind="alarm.raised",
    camera="shelf 3/ä",
    category="drink_can",
    body={"score": 7.5, "links": {"verdict": "http://goodsguard/verdicts/1"}},
    overlay=b"\xff\xd8" + bytes(50_000),
)


def post(receiver: Web, event: Event = EVENT, host: str = "127.0.0.1", **options: Any) -> None:
    options = {"allow_hosts": [host], **options}

    async def once() -> None:
        sink = Webhook(f"http://{host}:{receiver.port}/hook?a=b", **options)
        await sink.open()
        try:
            await sink.deliver(event, event.overlay)
        finally:
            await sink.close()

    asyncio.run(once())


def test_it_is_a_cloud_event(receiver: Web) -> None:
    post(receiver)
    (sent,) = receiver.sent
    assert (sent.method, sent.path) == ("POST", "/hook?a=b")
    assert sent.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert sent.headers["host"] == f"127.0.0.1:{receiver.port}"
    found = json.loads(sent.body)
    time = datetime.fromisoformat(found.pop("time"))
    assert abs(time - EVENT.time) < timedelta(milliseconds=1)
    assert found == {
        "specversion": "1.0",
        "id": str(EVENT.id),
        "source": "/goodsguard/cameras/shelf%203%2F%C3%A4",
        "type": "io.goodsguard.alarm.raised",
        "subject": "drink_can",
        "datacontenttype": "application/json",
        "data": {"camera": "shelf 3/ä", "category": "drink_can", **EVENT.body},
    }


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_an_independent_library_verifies_both_secrets_of_a_change(
    receiver: Web, secret: str
) -> None:
    post(receiver, keys=secrets_of(f"{NEW}\n{OLD}\n"))
    (sent,) = receiver.sent
    assert sent.headers["webhook-id"] == str(EVENT.id)
    assert len(sent.headers["webhook-signature"].split()) == 2
    assert Verifier(secret).verify(sent.body, sent.headers)["id"] == str(EVENT.id)
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(sent.body + b" ", sent.headers)


def test_an_attempt_later_has_the_same_id_and_body_and_its_own_time(receiver: Web) -> None:
    for later in (0, 100):
        post(receiver, keys=secrets_of(NEW), clock=lambda later=later: time.time() + later)
    first, second = receiver.sent
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    Verifier(NEW).verify(second.body, second.headers)


def test_without_a_secret_nothing_is_signed(receiver: Web) -> None:
    post(receiver)
    assert "webhook-signature" not in receiver.sent[0].headers
    assert "webhook-id" in receiver.sent[0].headers


@pytest.mark.parametrize("text", ["abc", "whsec_", "whsec_!!!", "whsec_YWJj", f"{NEW} nothing"])
def test_a_wrong_secret_is_told_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="a webhook's secret") as found:
        secrets_of(text)
    assert "YWJj" not in str(found.value)
    assert "nothing" not in str(found.value)


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (301, Retry, "a redirect is not followed"), (307, Retry, "307"), (400, Refused, "400"),
        (401, Retry, "401"), (404, Retry, "404"), (410, Gone, "410 Gone"), (413, Refused, "413"),
        (422, Refused, "422"), (429, Retry, "429"), (500, Retry, "500"), (503, Retry, "503"),
    ],
)  # fmt: skip
def test_what_an_answer_means(
    receiver: Web, status: int, error: type[Exception], said: str
) -> None:
    receiver.answer = lambda _sent: (status, {"location": f"http://127.0.0.1:{receiver.port}/x"})
    with pytest.raises(error, match=said):
        post(receiver)
    assert len(receiver.sent) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_success(receiver: Web, status: int) -> None:
    receiver.answer = lambda _sent: (status, {})
    post(receiver)
    assert len(receiver.sent) == 1


def test_retry_after_is_passed_on(receiver: Web) -> None:
    receiver.answer = lambda _sent: (503, {"retry-after": "77"})
    with pytest.raises(Retry) as found:
        post(receiver)
    assert (found.value.after_s, found.value.reached) == (77, True)


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("120", 120), (" 5 ", 5), ("0", 0), ("99999999999999999999", 86400),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60), ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 01 Mar 2026 12:01:00", 60), ("soon", None), ("-5", None), ("1.5", None),
        ("²", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_a_server_that_hangs_up_or_never_answers(receiver: Web) -> None:
    receiver.answer = lambda _sent: (0, {})
    with pytest.raises(Retry, match=r"the connection to 127\.0\.0\.1 broke") as found:
        post(receiver)
    assert found.value.reached
    over = threading.Event()

    def late(_sent: Sent) -> Answer:
        over.wait(30)
        return 200, {}

    receiver.answer = late
    with pytest.raises(Retry, match=r"no answer within 0\.5 s|broke: ReadTimeout"):
        post(receiver, timeout_s=0.5)
    over.set()


def test_a_host_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(Retry, match=r"127\.0\.0\.1 cannot be reached") as found:
            post(Web(port=taken.getsockname()[1]))
    assert not found.value.reached
    with pytest.raises(Retry, match=r"nowhere\.invalid is not found"):
        post(Web(port=80), host="nowhere.invalid")


def test_an_endless_answer_is_not_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        async def main() -> float:
            loop = asyncio.get_running_loop()

            def flood() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(5)
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    try:
                        while True:
                            connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
                    except OSError:
                        return

            flooding = loop.run_in_executor(None, flood)
            sink = Webhook(
                f"http://127.0.0.1:{server.getsockname()[1]}/", allow_hosts=["127.0.0.1"]
            )
            await sink.open()
            started = loop.time()
            await sink.deliver(EVENT, None)
            took = loop.time() - started
            await sink.close()
            await flooding
            return took

        assert asyncio.run(main()) < 4


PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
    "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
    "192.88.99.1", "192.0.0.170", "::1", "::", "::7f00:1", "fe80::1", "fe80::1%1", "fc00::1",
    "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1",
    "3fff::1", "5f00::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_near_this_machine_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_in_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_ipv4_inside_ipv6_is_judged_as_ipv4(address: Any) -> None:
    for start in ("::ffff:0:0", "64:ff9b::"):
        inside = ip_address(int(ip_address(start)) + int(address))
        assert is_public(inside) == is_public(address)


# Spellings that the system resolves, each of this machine.
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"]
)
def test_nothing_reaches_this_machine_unless_allowed_by_name(receiver: Web, host: str) -> None:
    with pytest.raises(Retry, match=r"add it to allow_hosts|is not found"):
        post(receiver, host=host, allow_hosts=["elsewhere.example"])
    assert receiver.sent == []


def test_a_host_allowed_by_name_is_reached_and_its_name_kept(receiver: Web) -> None:
    post(receiver, host="localhost", allow_hosts=["LocalHost"])
    assert receiver.sent[0].headers["host"] == f"localhost:{receiver.port}"


def test_the_name_is_resolved_once(receiver: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    resolve = socket.getaddrinfo

    def first_here_then_elsewhere(host: Any, *args: Any, **options: Any) -> Any:
        asked.append(host)
        return resolve("127.0.0.1" if len(asked) == 1 else "192.0.2.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", first_here_then_elsewhere)
    post(receiver, host="moving.example")
    # What is connected to later are numbers; asking for those tells nobody anything.
    assert [host for host in asked if host not in ("127.0.0.1", b"127.0.0.1")] == ["moving.example"]
    assert receiver.sent[0].headers["host"] == f"moving.example:{receiver.port}"


def test_of_a_name_with_both_kinds_only_the_public_ones_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("10.0.0.1", "8.8.8.8")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: both)
    assert asyncio.run(addresses("mixed.example", 80, [])) == ["8.8.8.8"]
    assert asyncio.run(addresses("mixed.example", 80, ["mixed.example"])) == ["10.0.0.1", "8.8.8.8"]


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    chain, secret = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    return chain, secret


@pytest.mark.parametrize("name", ["localhost", "other.example"])
def test_tls_is_with_the_name_and_not_with_the_address(tmp_path: Path, name: str) -> None:
    chain, secret = certificate(tmp_path, name)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(chain, secret)
    trusted = ssl.create_default_context(cafile=str(chain))

    async def once(port: int) -> None:
        sink = Webhook(f"https://localhost:{port}/", allow_hosts=["localhost"], tls=trusted)
        await sink.open()
        try:
            await sink.deliver(EVENT, None)
        finally:
            await sink.close()

    with web(tls=served) as receiver:
        if name == "localhost":
            asyncio.run(once(receiver.port))
            assert len(receiver.sent) == 1
        else:
            with pytest.raises(Retry, match=r"cannot be reached.*certificate"):
                asyncio.run(once(receiver.port))
            assert receiver.sent == []


def test_a_large_body_loses_its_longest_entries() -> None:
    regions = [{"left": n, "top": n, "right": n, "bottom": n} for n in range(1000)]
    event = Event(kind="alarm.raised", camera="a", body={"score": 1.0, "regions": regions})
    found = cloud_event(event)
    assert len(found) < MAX_BYTES
    data = json.loads(found)["data"]
    assert data == {"camera": "a", "category": None, "score": 1.0, "left_out": ["regions"]}


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.text(max_size=30_000) | st.floats(allow_nan=False, allow_infinity=False),
        max_size=5,
    )
)
def test_no_body_is_20_kb(body: dict[str, Any]) -> None:
    found = cloud_event(Event(kind="camera.lost", camera="a" * 64, body=body))
    assert len(found) < 20_000
    json.loads(found)


@pytest.mark.parametrize(
    "url", ["ftp://example.org", "example.org", "http://", "file:///etc/passwd"]
)
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="a webhook is a URL"):
        Webhook(url)

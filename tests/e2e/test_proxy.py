"""deploy/nginx.conf before the real service, with only paths and ports exchanged."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.access.keys import hashed
from tests.e2e.conftest import Elpv
from tests.e2e.process import Server, running
from tests.support import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
NAME = "goodsguard.example"
KEY = "a-key-of-the-tills-that-is-long-enough"
CONFIGURATION = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: nginx-light)"),
]


@dataclass
class Proxy:
    """A running nginx: a client that trusts it and speaks to it as NAME, and its log."""

    client: httpx.Client
    plain_port: int
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "goodsguard.crt").write_bytes(certificate.public_bytes(pem))
    (folder / "goodsguard.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def configured(folder: Path, service: int, plain: int, tls: int) -> Path:
    """The file with this test's paths and ports in place of the ordinary ones."""
    text = CONFIGURATION
    for old, new in (
        ("/etc/nginx/tls", str(folder)),
        ("/var/log/nginx", str(folder)),
        ("127.0.0.1:8000;", f"127.0.0.1:{service};"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl;"),
    ):
        assert old in text
        text = text.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    path = folder / "nginx.conf"
    path.write_text(text.replace("http {\n", "http {\n" + own, 1), encoding="utf-8")
    return path


def command(path: Path) -> list[str]:
    assert NGINX
    user = "user root; " if os.geteuid() == 0 else ""  # or it could not enter the test's folder
    directives = f"{user}daemon off; pid {path.parent}/pid;"
    return [NGINX, "-c", str(path), "-e", str(path.parent / "error.log"), "-g", directives]


@pytest.fixture(scope="module")
def service(elpv: Elpv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("behind")
    with running(
        root / "log",
        models_dir=elpv.models,
        reports_dir=root / "reports",
        device="cpu",
        threads="1",
        api_keys=f"till-1:admin:sha256:{hashed(KEY.encode())}",
    ) as started:
        yield started


@pytest.fixture(scope="module")
def proxy(service: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nginx")
    write_certificate(folder)
    plain, tls = free_port(), free_port()
    assert service.client.base_url.port
    path = configured(folder, service.client.base_url.port, plain, tls)
    checked = subprocess.run(
        [*command(path), "-t"], capture_output=True, text=True, check=False, timeout=30
    )
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    process = subprocess.Popen(command(path))
    trust = ssl.create_default_context(cafile=folder / "goodsguard.crt")
    try:
        with httpx.Client(
            base_url=f"https://127.0.0.1:{tls}",
            headers={"Host": NAME, "X-API-Key": KEY},
            verify=trust,
            timeout=60,
        ) as client:
            wait_for(tls)
            yield Proxy(client, plain, folder / "goodsguard.log")
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx does not listen")


def post(proxy: Proxy, path: str, *photos: bytes, field: str = "file") -> httpx.Response:
    return proxy.client.post(
        path,
        files=[(field, ("p.png", photo)) for photo in photos],
        extensions={"sni_hostname": NAME},
    )


def get(proxy: Proxy, path: str) -> httpx.Response:
    return proxy.client.get(path, extensions={"sni_hostname": NAME})


def test_a_photo_is_scored_through_tls(proxy: Proxy, elpv: Elpv) -> None:
    photo = elpv.photos()["good"][0]
    answer = post(proxy, "/score/elpv_mono", photo)
    assert answer.status_code == 200, answer.text
    assert answer.json()["verdict"] in ("normal", "anomalous")
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    several = post(proxy, "/score?category=elpv_mono&category=elpv_poly", photo)
    assert [item["category"] for item in several.json()["results"]] == ["elpv_mono", "elpv_poly"]
    batch = post(proxy, "/score/elpv_mono/batch", photo, photo, field="files")
    assert len(batch.json()["results"]) == 2
    assert get(proxy, "/categories").status_code == 200
    assert get(proxy, "/evaluate").status_code == 200
    assert get(proxy, "/readyz").json()["status"] == "ready"


def test_one_request_id_is_in_both_logs(proxy: Proxy, service: Server, elpv: Elpv) -> None:
    request_id = post(proxy, "/score/elpv_mono", elpv.photos()["good"][0]).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", request_id)  # nginx made it
    deadline = time.monotonic() + 30  # both write their line once they have answered
    while not all(request_id in log.read_text() for log in (service.log, proxy.log)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/openapi.json", "/admin/reload", "/livez"])
def test_what_is_not_for_outside_stays_inside(proxy: Proxy, service: Server, path: str) -> None:
    assert get(proxy, path).status_code == 404
    assert "x-request-id" not in get(proxy, path).headers


def test_a_key_is_needed_though_the_proxy_is_this_machine(proxy: Proxy) -> None:
    proxy.client.headers.pop("X-API-Key")
    try:
        assert get(proxy, "/categories").status_code == 401
    finally:
        proxy.client.headers["X-API-Key"] = KEY


def test_a_body_over_the_limit_never_reaches_the_service(proxy: Proxy, service: Server) -> None:
    assert post(proxy, "/score/elpv_mono", bytes(34 << 20)).status_code == 413
    # By what it refused, not by the number of lines: an earlier request's may still come.
    assert [line for line in service.log_lines() if line.get("status") == 413] == []


def test_plain_http_is_sent_to_tls(proxy: Proxy) -> None:
    answer = httpx.get(f"http://127.0.0.1:{proxy.plain_port}/readyz", headers={"Host": NAME})
    assert answer.status_code == 301
    assert answer.headers["location"] == f"https://{NAME}/readyz"

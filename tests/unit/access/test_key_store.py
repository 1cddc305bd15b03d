from __future__ import annotations

import asyncio
import hmac
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.access import key_store
from app.access.key_store import KeyStore
from app.access.keys import ApiKey, KeysError, hashed
from app.access.keys_file import entry
from app.core import lookout
from app.core.files import read_at_most
from app.core.lookout import LOOK_EVERY_S

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def write(path: Path, *names: str, expires_at: datetime | None = None) -> None:
    """Keys whose secret is their name."""
    keys = [
        ApiKey(
            name=name,
            sha256=hashed(name.encode()),
            scopes=frozenset({"score"}),
            expires_at=expires_at,
        )
        for name in names
    ]
    path.write_text("\n".join(map(entry, keys)))


def opens(store: KeyStore, secret: str) -> bool:
    store.look()
    key = store.find(secret.encode())
    assert key is None or key.sha256 == hashed(secret.encode())
    return key is not None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(path: Path, clock: Clock) -> KeyStore:
    write(path, "old")
    return KeyStore(("from-the-environment",), path, clock=clock, now=lambda: NOW)


@given(st.sets(st.text(min_size=1), min_size=1, max_size=6), st.text())
def test_a_key_opens_exactly_where_it_is_one_of_them(secrets: set[str], other: str) -> None:
    values = tuple(f"sha256:{hashed(secret.encode())}" for secret in secrets)
    store = KeyStore(values)
    assert all(opens(store, secret) for secret in secrets)
    assert opens(store, other) is (other in secrets)
    assert not any(opens(store, value) for value in values)


def test_nothing_is_no_key_even_where_its_hash_is_stored() -> None:
    assert KeyStore((f"sha256:{hashed(b'')}",)).find(b"") is None


@pytest.mark.parametrize("secret", ["k0", "k2", "k4", "unknown", ""])
def test_every_key_is_compared_whichever_it_is(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    hashes = [hashed(f"k{i}".encode()) for i in range(5)]
    store = KeyStore([f"sha256:{h}" for h in hashes])
    compared: list[str] = []
    real = hmac.compare_digest

    def compare(a: str, b: str) -> bool:
        compared.append(b)
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    store.find(secret.encode())
    assert compared == hashes


def test_the_setting_and_the_file_count_both(store: KeyStore) -> None:
    assert opens(store, "old")
    assert opens(store, "from-the-environment")
    assert store.names == ["key-1", "old"]


def test_a_changed_file_is_taken_up(store: KeyStore, path: Path, clock: Clock) -> None:
    write(path, "new")
    assert opens(store, "old"), "it is looked at once a second, not at every request"
    clock.seconds += LOOK_EVERY_S
    assert (opens(store, "old"), opens(store, "new")) == (False, True)
    assert opens(store, "from-the-environment")


def test_a_change_of_equal_size_and_time_is_seen(store: KeyStore, path: Path, clock: Clock) -> None:
    before = path.stat()
    write(path, "new")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    clock.seconds += LOOK_EVERY_S
    assert opens(store, "new")


def test_an_unchanged_file_is_not_parsed_again(
    store: KeyStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_store, "read_keys", None)
    clock.seconds += LOOK_EVERY_S
    assert opens(store, "old")


def test_an_emptied_file_lets_nobody_in(store: KeyStore, path: Path, clock: Clock) -> None:
    path.write_text("")
    clock.seconds += LOOK_EVERY_S
    assert not opens(store, "old")


def break_(path: Path) -> None:
    path.write_text("[keys.")


def duplicate(path: Path) -> None:
    write(path, "from-the-environment")


def fill(path: Path) -> None:
    path.write_bytes(b"#" * (2 << 20))


@pytest.mark.parametrize("spoil", [break_, duplicate, fill, Path.unlink])
def test_an_unusable_file_leaves_the_keys_as_they_were_and_is_logged_once(
    store: KeyStore, path: Path, clock: Clock, spoil: Callable[[Path], None]
) -> None:
    with capture_logs() as logs:
        spoil(path)
        for _ in range(3):
            clock.seconds += LOOK_EVERY_S
            assert opens(store, "old")
    assert [line["log_level"] for line in logs] == ["error"]
    write(path, "new")
    clock.seconds += LOOK_EVERY_S
    assert (opens(store, "old"), opens(store, "new")) == (False, True)


@pytest.mark.parametrize("spoil", [break_, duplicate, fill, Path.unlink])
def test_an_unusable_file_stops_the_start(path: Path, spoil: Callable[[Path], None]) -> None:
    write(path, "old")
    spoil(path)
    with pytest.raises(KeysError) as caught:
        KeyStore(("from-the-environment",), path)
    assert hashed(b"from-the-environment") not in str(caught.value)


def test_a_key_is_valid_until_it_expires(path: Path) -> None:
    write(path, "guest", expires_at=NOW)
    moment = NOW - timedelta(seconds=1)
    store = KeyStore((), path, now=lambda: moment)
    assert opens(store, "guest")
    moment = NOW
    with capture_logs() as logs:
        assert not opens(store, "guest")
    assert [(line["log_level"], line["key"]) for line in logs] == [("warning", "guest")]


@pytest.mark.parametrize(
    ("mode", "warning"),
    [(0o600, None), (0o640, None), (0o644, "read"), (0o660, "write"), (0o602, "write")],
)
def test_a_file_open_to_others_is_warned_of(path: Path, mode: int, warning: str | None) -> None:
    write(path, "old")
    path.chmod(mode)
    with capture_logs() as logs:
        KeyStore((), path)
    warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
    assert len(warnings) == (warning is not None)
    assert all(warning in text for text in warnings if warning)


def test_the_log_names_keys_and_shows_none(store: KeyStore, path: Path, clock: Clock) -> None:
    with capture_logs() as logs:
        write(path, "new")
        clock.seconds += LOOK_EVERY_S
        store.look()
        store.find(b"a secret that is not known")
    assert logs[0]["names"] == ["key-1", "new"]
    assert "secret" not in str(logs)
    assert hashed(b"new") not in str(logs)


@pytest.mark.anyio
async def test_who_asks_for_it_has_the_file_read_at_once(path: Path, clock: Clock) -> None:
    write(path, "first")
    store = KeyStore(path=path, clock=clock)
    write(path, "second")
    await store.refresh()
    assert opens(store, "first")  # too early to look again
    await store.refresh(now=True)
    assert store.find(b"second") is not None
    assert store.find(b"first") is None


@pytest.mark.anyio
async def test_the_file_is_read_beside_the_event_loop(
    store: KeyStore, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def noted(path: Path, limit: int) -> bytes:
        threads.append(threading.get_ident())
        return read_at_most(path, limit)

    monkeypatch.setattr(key_store, "read_at_most", noted)
    write(path, "new")
    clock.seconds += LOOK_EVERY_S
    await asyncio.gather(*(store.refresh() for _ in range(5)))
    assert store.find(b"new") is not None
    assert store.find(b"old") is None
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
    await store.refresh()  # not due
    assert len(threads) == 1


@pytest.mark.anyio
async def test_a_disk_that_hangs_leaves_the_keys_of_before(
    store: KeyStore, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    def hang(path: Path, limit: int) -> bytes:
        assert answers.wait(20)
        return read_at_most(path, limit)

    monkeypatch.setattr(key_store, "read_at_most", hang)
    monkeypatch.setattr(lookout, "WAIT_S", 0.05)
    write(path, "new")
    clock.seconds += LOOK_EVERY_S
    for _ in range(3):  # waited for once, and not by each request anew
        await store.refresh()
        clock.seconds += LOOK_EVERY_S
        assert store.find(b"old") is not None
    answers.set()
    async with asyncio.timeout(20):
        while store.find(b"new") is None:
            await store.refresh()
            await asyncio.sleep(0.001)


@pytest.mark.anyio
async def test_keys_without_a_file_need_no_look() -> None:
    store = KeyStore(("from-the-environment",))
    await store.refresh()
    assert opens(store, "from-the-environment")
    await store.refresh(now=True)
    assert opens(store, "from-the-environment")

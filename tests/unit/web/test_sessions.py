from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.key_store import KeyStore
from app.web.sessions import Sessions

HOURS = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def entry(name: str, key: str, scope: str = "review") -> str:
    return f"{name}:{scope}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


KEYS = KeyStore([entry("till", "a-key-of-the-tests-0123"), entry("boss", "another-key-01234567")])
SECRET = b"s" * 32


def opened(clock: Clock | None = None) -> tuple[Sessions, str]:
    known = Sessions(SECRET, 12 * HOURS, clock=clock or Clock())
    key = KEYS.named("till")
    assert key is not None
    return known, known.begin(key)[1]


def test_a_session_is_known_by_its_cookie() -> None:
    known, cookie = opened()
    session = known.find(cookie, KEYS)
    assert session is not None
    assert session.key.name == "till"
    assert "a-key-of-the-tests" not in cookie


def test_another_process_with_the_secret_knows_it_too() -> None:
    clock = Clock()
    _, cookie = opened(clock)
    assert Sessions(SECRET, HOURS, clock=clock).find(cookie, KEYS)
    assert Sessions(b"t" * 32, HOURS, clock=clock).find(cookie, KEYS) is None


def test_it_is_over_in_time() -> None:
    clock = Clock()
    known, cookie = opened(clock)
    clock.now += 12 * HOURS - 1
    assert known.find(cookie, KEYS)
    clock.now += 1
    assert known.find(cookie, KEYS) is None


def test_it_ends_with_its_key() -> None:
    known, cookie = opened()
    assert known.find(cookie, KeyStore([entry("boss", "another-key-01234567")])) is None
    # Another key of that name is not the one with which somebody logged in.
    assert known.find(cookie, KeyStore([entry("till", "a-new-key-0123456789")])) is None


def test_a_key_that_expires_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(
        '[keys.till]\nscopes = ["review"]\nexpires_at = 2026-01-02T00:00:00Z\n'
        f'sha256 = "{hashlib.sha256(b"k").hexdigest()}"\n'
    )
    path.chmod(0o600)
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    keys = KeyStore(path=path, now=lambda: now[0])
    known = Sessions(SECRET, HOURS)
    key = keys.named("till")
    assert key is not None
    cookie = known.begin(key)[1]
    assert known.find(cookie, keys)
    now[0] += timedelta(days=1)
    assert known.find(cookie, keys) is None


def test_after_logging_out_a_copy_of_the_cookie_opens_nothing() -> None:
    clock = Clock()
    known, cookie = opened(clock)
    session = known.find(cookie, KEYS)
    assert session is not None
    known.end(session)
    assert known.find(cookie, KEYS) is None
    _, other = known.begin(session.key)
    assert known.find(other, KEYS)


def test_each_session_has_a_token_of_its_own() -> None:
    known, _ = opened()
    key = KEYS.named("till")
    assert key is not None
    tokens = {known.token(None)} | {known.token(known.begin(key)[0]) for _ in range(3)}
    assert len(tokens) == 4


@given(st.text(max_size=300))
def test_what_is_no_cookie_of_ours_opens_nothing(value: str) -> None:
    assert Sessions(SECRET, HOURS).find(value, KEYS) is None


@given(st.data())
def test_no_letter_of_a_cookie_can_be_changed(data: st.DataObject) -> None:
    known, cookie = opened()
    place = data.draw(st.integers(0, len(cookie) - 1))
    letter = data.draw(st.sampled_from("abcXYZ019-_."))
    changed = cookie[:place] + letter + cookie[place + 1 :]
    found = known.find(changed, KEYS)
    if changed == cookie:
        assert found
    else:
        # The last letter of base64 has bits that count for nothing.
        assert found is None or place == len(cookie) - 1


@pytest.mark.parametrize("said", [None, [], ["a"], {"x": 1}, ["i", 1, "f", 2], ["i", "till", 3, 4]])
def test_a_signed_value_of_another_shape_opens_nothing(said: object) -> None:
    """Signed with the same secret, by an older or a newer program."""
    known, _ = opened()
    value = known._serializer.dumps(said)
    assert known.find(str(value), KEYS) is None

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from structlog.testing import capture_logs

from app.access.keys import SCOPES, ApiKey, KeysError, Scope, hashed, keys_of_setting, together

LONG = "a key that is long enough not to be guessed"
HEX = hashed(LONG.encode())


def key(name: str = "camera-1", secret: str = LONG, *scopes: Scope) -> ApiKey:
    scopes = scopes or ("score",)
    return ApiKey(name=name, sha256=hashed(secret.encode()), scopes=frozenset(scopes))


@given(st.binary())
def test_what_is_stored_is_the_sha256(secret: bytes) -> None:
    assert hashed(secret) == hashlib.sha256(secret).hexdigest()


@pytest.mark.parametrize("value", [LONG, f"sha256:{HEX}", f"sha256:{HEX.upper()}"])
def test_the_short_forms_may_score(value: str) -> None:
    (found,) = keys_of_setting((value,))
    assert found == ApiKey(name="key-1", sha256=HEX, scopes=frozenset({"score"}))


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ("score", {"score"}),
        ("admin", {"admin"}),
        ("score+admin", {"score", "admin"}),
        ("review", {"review"}),
    ],
)
def test_the_long_form_has_a_name_and_scopes(scopes: str, expected: set[Scope]) -> None:
    (found,) = keys_of_setting((f"till_7:{scopes}:sha256:{HEX}",))
    assert found == ApiKey(name="till_7", sha256=HEX, scopes=frozenset(expected))


def test_short_forms_are_named_by_their_place() -> None:
    values = ("one" * 10, f"till:admin:sha256:{HEX}", "two" * 10)
    assert [found.name for found in keys_of_setting(values)] == ["key-1", "till", "key-3"]


@pytest.mark.parametrize("value", ["sha256:12", "a:b:c", "admin:secret", "x" * 300])
def test_what_only_looks_like_another_form_is_a_plain_key(value: str) -> None:
    assert keys_of_setting((value,))[0].sha256 == hashed(value.encode())


@pytest.mark.parametrize(
    "value",
    [
        f"till:admin:sha256:{HEX[:-1]}",
        f"till:sha256:{HEX}",
        f"no name:admin:sha256:{HEX}",
        f"till:amin:sha256:{HEX}",
        f"till:score+:sha256:{HEX}",
    ],
)
def test_a_slip_in_the_long_form_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(KeysError, match="key 2 ") as caught:
        keys_of_setting((LONG, value))
    assert HEX[:10] not in str(caught.value)


def test_a_short_plain_key_is_warned_of_by_name_only() -> None:
    with capture_logs() as logs:
        keys_of_setting((LONG, "letmein"))
    assert [(line["log_level"], line["key"]) for line in logs] == [("warning", "key-2")]
    assert "letmein" not in str(logs)


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (("score",), {"score"}),
        (("review",), {"score", "review"}),
        (("admin",), {"score", "review", "admin"}),
        (("score", "review"), {"score", "review"}),
    ],
)
def test_a_scope_includes_those_before_it(scopes: tuple[Scope, ...], allowed: set[Scope]) -> None:
    for scope in SCOPES:
        assert key("k", LONG, *scopes).allows(scope) is (scope in allowed)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "-a"},
        {"name": "a\n"},
        {"name": "a" * 65},
        {"sha256": "12"},
        {"sha256": HEX + "\n"},
        {"scopes": []},
        {"scopes": ["root"]},
        {"requests_per_minute": -1},
        {"requests_per_minute": True},
        {"expires_at": "2027-01-01T00:00:00"},
        {"surprise": 1},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    good: dict[str, object] = {"name": "k", "sha256": HEX, "scopes": ["score"]}
    ApiKey.model_validate(good)
    with pytest.raises(ValidationError):
        ApiKey.model_validate(good | change)


def test_no_two_have_one_name() -> None:
    with pytest.raises(KeysError, match="'a'"):
        together([key("a"), key("b", "another"), key("a", "a third")])


def test_no_two_are_the_same() -> None:
    with pytest.raises(KeysError, match="'a' and 'b'"):
        together([key("a"), key("b")])

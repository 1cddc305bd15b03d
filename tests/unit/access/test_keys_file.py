from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.keys import NAME, SCOPES, ApiKey, KeysError, hashed
from app.access.keys_file import append, entry, read_keys

HEX = hashed(b"secret")

api_keys = st.builds(
    ApiKey,
    name=st.from_regex(NAME, fullmatch=True),
    sha256=st.binary(max_size=4).map(hashed),
    scopes=st.frozensets(st.sampled_from(SCOPES), min_size=1),
    expires_at=st.none()
    | st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    requests_per_minute=st.none() | st.integers(0, 100_000),
)


@given(st.lists(api_keys, max_size=5, unique_by=lambda key: key.name))
def test_what_is_written_is_read_again(keys: list[ApiKey]) -> None:
    assert list(read_keys("\n".join(map(entry, keys)).encode())) == keys


def test_the_form_that_is_documented() -> None:
    text = f"""
        # the till
        [keys.camera-1]
        sha256 = "{HEX}"
        scopes = ["admin"]
        expires_at = 2027-01-01T00:00:00+01:00
        requests_per_minute = 120
    """
    (key,) = read_keys(text.encode())
    assert (key.name, key.sha256, set(key.scopes)) == ("camera-1", HEX, {"admin"})
    assert key.expires_at == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert key.requests_per_minute == 120


def test_an_empty_file_has_no_keys() -> None:
    assert read_keys(b"") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[keys.a", "not TOML"),
        (f'[keys.a]\nsha256 = "{HEX}"\n[keys.a]\n', "not TOML"),
        ('[keyz.a]\nsha256 = "x"', "unknown entries: keyz"),
        ("keys = 3", "tables"),
        ("[keys]\na = 3", "'a' must be a table"),
        (f'[keys.a]\nsha256 = "{HEX}"', "'a': scopes: is missing"),
        (f'[keys.a]\nsha256 = "{HEX}"\nscopes = ["root"]', "'a': scopes"),
        ('[keys.a]\nsha256 = "plain"\nscopes = ["score"]', "'a': sha256"),
        (f'[keys.a]\nname = "b"\nsha256 = "{HEX}"\nscopes = ["score"]', "'a' must"),
        (f'[keys."a b"]\nsha256 = "{HEX}"\nscopes = ["score"]', "'a b': name"),
        (
            f'[keys.a]\nsha256 = "{HEX}"\nscopes = ["score"]\nexpires_at = 2027-01-01T00:00:00',
            "'a': expires_at.*timezone",
        ),
        (f'[keys.a]\nsha256 = "{HEX}"\nscopes = ["score"]\nexpire_at = 2027-01-01', "expire_at"),
    ],
)
def test_a_broken_file_says_where(text: str, message: str) -> None:
    with pytest.raises(KeysError, match=message):
        read_keys(text.encode())


def test_what_is_not_text_is_broken() -> None:
    with pytest.raises(KeysError, match="UTF-8"):
        read_keys(b"\xff\xfe")


def test_a_key_where_its_hash_belongs_is_not_shown() -> None:
    with pytest.raises(KeysError) as caught:
        read_keys(b'[keys.a]\nsha256 = "goodsguard_secret"\nscopes = ["goodsguard_other"]')
    assert "goodsguard_" not in str(caught.value)


def key(name: str) -> ApiKey:
    return ApiKey(name=name, sha256=hashed(name.encode()), scopes=frozenset({"score"}))


def names(path: Path) -> set[str]:
    return {found.name for found in read_keys(path.read_bytes())}


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    append(path, key("a"))
    assert names(path) == {"a"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_comments_and_mode_stay(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f"# the till\n{entry(key('a'))}# no line end")
    path.chmod(0o640)
    append(path, key("b"))
    assert names(path) == {"a", "b"}
    assert path.read_text().startswith("# the till\n")
    assert "# no line end\n" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert {p.name for p in tmp_path.iterdir()} - {".keys.toml.lock"} == {"keys.toml"}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.toml").symlink_to("keys.toml")
    append(tmp_path / "link.toml", key("a"))
    assert (tmp_path / "link.toml").is_symlink()
    assert names(tmp_path / "keys.toml") == {"a"}


@pytest.mark.parametrize("before", ["[keys.a", entry(key("b"))], ids=["broken", "taken"])
def test_a_broken_file_or_a_taken_name_is_left_as_it_was(tmp_path: Path, before: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(before)
    with pytest.raises(KeysError):
        append(path, key("b"))
    assert path.read_text() == before
    assert {p.name for p in tmp_path.iterdir()} - {".keys.toml.lock"} == {"keys.toml"}


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda i: append(path, key(f"k{i}")), range(24)))
    assert names(path) == {f"k{i}" for i in range(24)}

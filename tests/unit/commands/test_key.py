from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.access.key_store import KeyStore
from app.access.keys import keys_of_setting
from app.access.keys_file import read_keys
from app.commands import key as command


def call(*arguments: str | Path) -> Result:
    program = typer.Typer()
    program.command()(command.main)
    return CliRunner().invoke(program, list(map(str, arguments)))


def secret_of(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    secret = result.stdout.strip()
    # Nothing else on standard output: it is piped.
    assert re.fullmatch(r"goodsguard_[A-Za-z0-9_-]{43}", secret)
    assert secret not in result.stderr
    return secret


def test_both_entries_open_to_the_key() -> None:
    result = call("--name", "camera-1", "--scope", "admin")
    secret = secret_of(result)
    table = re.search(r"^\[keys\..*?\n\n", result.stderr, re.M | re.S)
    setting = re.search(r"GOODSGUARD_API_KEYS: (\S+)", result.stderr)
    assert table
    assert setting
    assert read_keys(table[0].encode()) == keys_of_setting((setting[1],))
    key = KeyStore((setting[1],)).find(secret.encode())
    assert key
    assert (key.name, set(key.scopes)) == ("camera-1", {"admin"})


def test_no_two_keys_are_alike() -> None:
    assert len({secret_of(call("--name", "a")) for _ in range(20)}) == 20


def test_entries_are_added_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    secrets = [secret_of(call("--name", name, "--file", path)) for name in ("a", "b")]
    secrets.append(
        secret_of(
            call(
                *("--name", "c", "--scope", "admin", "--expires-days", "30"),
                *("--requests-per-minute", "7", "--file", path),
            )
        )
    )
    assert not any(secret in path.read_text() for secret in secrets)
    store = KeyStore((), path)
    found = [store.find(secret.encode()) for secret in secrets]
    assert [key.name for key in found if key] == ["a", "b", "c"]
    last = found[-1]
    assert last
    assert (set(last.scopes), last.requests_per_minute) == ({"admin"}, 7)
    assert last.expires_at
    assert abs(last.expires_at - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "a b"), "name"),
        (("--name", "taken", "--file", "keys.toml"), "'taken' already"),
        (("--name", "a", "--file", "taken.txt/keys.toml"), "taken.txt"),
        (("--name", "a", "--requests-per-minute", "1000000"), "requests_per_minute"),
    ],
)
def test_what_cannot_be_made_is_told_and_no_key_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    call("--name", "taken", "--file", "keys.toml")
    (tmp_path / "taken.txt").touch()  # no folder can be made there
    result = call(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "goodsguard_" not in result.stdout


@pytest.mark.parametrize("name", ["Kasse 1", "-", "", "a" * 65, "a:b", "a\n"])
def test_a_name_that_no_key_may_have_is_told_in_words(name: str) -> None:
    result = call(f"--name={name}")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: name: may have letters a-z, digits, _ and -, at most 64, none of _ - first\n"
    )

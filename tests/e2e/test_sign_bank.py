"""scripts/sign_bank.py over banks on disk."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.core.store import artifact as artifacts
from app.core.store import signing
from app.core.store.signing_keys import key_id, load_private
from scripts import sign_bank as script
from tests.support import ROOT, make_artifact, version_number

VARIABLE = "GOODSGUARD_KEY_PASSPHRASE"


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def sign_bank(*arguments: str | Path, **environment: str) -> Done:
    """The command in this process: a process of its own would load torch for seconds each time."""
    app = typer.Typer()
    app.command()(script.main)
    given = {VARIABLE: None} | environment
    result = CliRunner().invoke(app, [str(a) for a in arguments], env=given)
    return Done(result.exit_code, result.stdout, result.stderr)


def sign_bank_process(*arguments: str | Path) -> Done:
    done = subprocess.run(
        [sys.executable, "scripts/sign_bank.py", *map(str, arguments)],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != VARIABLE} | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "bank_key.pem"
    done = sign_bank("--generate-key", path)
    assert done.returncode == 0, done.stderr
    assert key_id(load_private(path).public_key()) in done.stdout
    return path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two versions of one category, one of another."""
    folder = tmp_path / "models"
    for category, number in (("can", 1), ("can", 2), ("box", 3)):
        artifacts.save(folder, make_artifact(category, version=version_number(number)))
    return folder


def signed(models: Path) -> list[str]:
    return sorted(str(p.parent.relative_to(models)) for p in models.rglob(signing.SIGNATURE))


def trusted(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def test_a_new_key_is_the_owners_alone_and_never_overwritten(key: Path) -> None:
    before = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = sign_bank("--generate-key", key)
    assert again.returncode == 1
    assert "exists already" in words(again.stderr)
    assert key.read_bytes() == before


def test_what_is_signed_is_verified_and_still_loads(key: Path, models: Path) -> None:
    done = sign_bank_process(
        "--models", models, "--category", "can", "--category", "box", "--key", key
    )
    assert done.returncode == 0, done.stderr
    assert signed(models) == [f"box/{version_number(3)}", f"can/{version_number(2)}"]
    seen = sign_bank("--models", models, "--verify", "--trusted", trusted(key))
    assert seen.returncode == 0, seen.stderr
    for word in ("box", "can", version_number(2), key_id(load_private(key).public_key()), "ok"):
        assert word in seen.stdout
    assert artifacts.load(models, "can").manifest.bank_version == version_number(2)


def test_an_older_version_is_signed_by_its_name(key: Path, models: Path) -> None:
    arguments = ("--models", models, "--category", "can", "--version", version_number(1))
    assert sign_bank(*arguments, "--key", key).returncode == 0
    assert signed(models) == [f"can/{version_number(1)}"]
    assert sign_bank(*arguments, "--verify", "--trusted", trusted(key).parent).returncode == 1
    assert sign_bank(*arguments, "--verify", "--trusted", trusted(key)).returncode == 0


def test_verify_tells_each_fault_and_fails(key: Path, models: Path) -> None:
    assert sign_bank("--models", models, "--category", "can", "--key", key).returncode == 0
    manifest = models / "can" / version_number(2) / artifacts.MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b" ")
    seen = sign_bank("--models", models, "--verify", "--trusted", trusted(key))
    assert seen.returncode == 1
    assert "not signed" in words(seen.stdout)
    assert "changed after it was written" in words(seen.stdout)
    assert "not trusted: box, can" in words(seen.stderr)


def test_an_encrypted_key_takes_its_passphrase_from_the_environment(
    models: Path, tmp_path: Path
) -> None:
    secret, environment = tmp_path / "secret.pem", {VARIABLE: "correct horse"}
    assert sign_bank("--generate-key", secret, **environment).returncode == 0
    assert b"ENCRYPTED" in secret.read_bytes()
    arguments = ("--models", models, "--category", "can", "--key", secret)
    refused = sign_bank(*arguments)
    assert refused.returncode == 1
    assert "is encrypted" in words(refused.stderr)
    assert signed(models) == []
    assert sign_bank(*arguments, **environment).returncode == 0
    assert signed(models) == [f"can/{version_number(2)}"]


def test_a_damaged_bank_is_not_signed_nor_those_beside_it(key: Path, models: Path) -> None:
    (models / "can" / version_number(2) / artifacts.BANK).write_bytes(b"damaged")
    done = sign_bank("--models", models, "--category", "box", "--category", "can", "--key", key)
    assert done.returncode == 1
    assert "can: bank.safetensors does not match" in words(done.stderr)
    assert signed(models) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "exactly one of"),
        (("--key", "KEY", "--verify", "--trusted", "KEY.pub"), "exactly one of"),
        (("--key", "KEY"), "name what to sign"),
        (("--key", "KEY", "--category", "jar"), "jar: no bank is stored"),
        (("--key", "KEY", "--category", "can", "--version", "../can"), "can: "),
        (("--key", "absent.pem", "--category", "can"), "absent.pem cannot be read"),
        (("--verify",), "go together"),
        (("--key", "KEY", "--category", "can", "--trusted", "KEY.pub"), "go together"),
        (("--verify", "--trusted", "KEY"), "only public ones"),
        (("--verify", "--trusted", "absent.pub"), "absent.pub cannot be read"),
    ],
)
def test_what_makes_no_sense_is_an_error_and_signs_nothing(
    key: Path, models: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = sign_bank("--models", models, *(a.replace("KEY", str(key)) for a in arguments))
    assert done.returncode == 1
    assert message in words(done.stderr)
    assert "Traceback" not in done.stderr
    assert signed(models) == []


def test_an_empty_models_folder_has_nothing_to_verify(key: Path, tmp_path: Path) -> None:
    done = sign_bank("--models", tmp_path, "--verify", "--trusted", trusted(key))
    assert done.returncode == 1
    assert "no bank is stored in" in words(done.stderr)

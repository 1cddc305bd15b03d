from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core.errors import SigningKeyError
from app.core.store import signing_keys as keys

PEM = serialization.Encoding.PEM


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """The private key's file; the public one lies beside it."""
    path = tmp_path / "key.pem"
    keys.write_key_pair(path, keys.generate_key())
    return path


def id_of(path: Path, passphrase: bytes | None = None) -> str:
    return keys.key_id(keys.load_private(path, passphrase).public_key())


def beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")


def public_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_every_key_is_another() -> None:
    assert len({keys.key_id(keys.generate_key().public_key()) for _ in range(5)}) == 5


def test_a_pair_is_read_back(pair: Path) -> None:
    assert list(keys.load_trusted(beside(pair)).keys) == [id_of(pair)]


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_only_the_owner_reads_the_private_key(tmp_path: Path, passphrase: bytes | None) -> None:
    path = tmp_path / "new" / "key.pem"
    public = keys.write_key_pair(path, keys.generate_key(), passphrase)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public == beside(path)
    assert b"PRIVATE" not in public.read_bytes()


def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path) -> None:
    path, key = tmp_path / "key.pem", keys.generate_key()
    keys.write_key_pair(path, key, b"correct horse")
    assert id_of(path, b"correct horse") == keys.key_id(key.public_key())
    for passphrase, fault in ((None, "is encrypted"), (b"", "is encrypted"), (b"no", "is wrong")):
        with pytest.raises(SigningKeyError, match=fault):
            keys.load_private(path, passphrase)


def test_a_passphrase_for_a_plain_key_is_a_mistake(pair: Path) -> None:
    with pytest.raises(SigningKeyError, match="not encrypted"):
        keys.load_private(pair, b"correct horse")


@pytest.mark.parametrize("there", ["key.pem", "key.pem.pub"])
def test_a_key_is_never_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("kept")
    with pytest.raises(SigningKeyError, match=f"{there} exists already"):
        keys.write_key_pair(tmp_path / "key.pem", keys.generate_key())
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(there, "kept")]


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "key.pem").symlink_to("elsewhere")
    with pytest.raises(SigningKeyError, match="exists already"):
        keys.write_key_pair(tmp_path / "key.pem", keys.generate_key())
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_a_file_cannot_hold_keys(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(SigningKeyError, match="cannot be written"):
        keys.write_key_pair(tmp_path / "folder" / "key.pem", keys.generate_key())


def test_what_is_no_private_key_is_named(tmp_path: Path, pair: Path) -> None:
    path = tmp_path / "other.pem"
    with pytest.raises(SigningKeyError, match=r"other\.pem cannot be read: No such file"):
        keys.load_private(path)
    for content in (b"", b"ssh-ed25519 AAAA", bytes(99), beside(pair).read_bytes()):
        path.write_bytes(content)
        with pytest.raises(SigningKeyError, match=r"other\.pem holds no PEM private key"):
            keys.load_private(path)


@pytest.fixture
def other_kind() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_another_kind_of_key_is_refused(
    tmp_path: Path, other_kind: ec.EllipticCurvePrivateKey
) -> None:
    path = tmp_path / "ec.pem"
    path.write_bytes(
        other_kind.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(SigningKeyError, match=r"ec\.pem .* than Ed25519"):
        keys.load_private(path)
    path.write_bytes(public_pem(other_kind))
    with pytest.raises(SigningKeyError, match=r"ec\.pem .* than Ed25519"):
        keys.load_trusted(path)


def test_a_file_may_list_several_keys_with_remarks(tmp_path: Path) -> None:
    listed = [keys.generate_key() for _ in range(3)]
    lines = b"".join(b"the key of site %d\n" % i + public_pem(k) for i, k in enumerate(listed))
    (tmp_path / "trusted").write_bytes(lines.replace(b"\n", b"\r\n"))
    expected = {keys.key_id(key.public_key()) for key in listed}
    assert set(keys.load_trusted(tmp_path / "trusted").keys) == expected


def test_a_folder_is_read_for_its_keys(tmp_path: Path) -> None:
    first, second = keys.generate_key(), keys.generate_key()
    folder = tmp_path / "trusted"
    (folder / "deeper.pem").mkdir(parents=True)
    (folder / "a.pub").write_bytes(public_pem(first))
    (folder / "b.pem").write_bytes(public_pem(second))
    (folder / "c.pem").write_bytes(public_pem(first))
    (folder / "README").write_text("whose keys these are")
    expected = {keys.key_id(key.public_key()) for key in (first, second)}
    assert set(keys.load_trusted(folder).keys) == expected


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "must hold"),
        (b"ssh-ed25519 AAAA", "must hold"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n", "must hold"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "must hold"),
        (b"\0" * 65_537, "larger than"),
    ],
)
def test_a_file_without_a_key_stops_the_whole_folder(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    (tmp_path / "a.pub").write_bytes(public_pem(keys.generate_key()))
    (tmp_path / "b.pub").write_bytes(content)
    for path in (tmp_path, tmp_path / "b.pub"):
        with pytest.raises(SigningKeyError, match=rf"b\.pub.* {fault}"):
            keys.load_trusted(path)


def test_a_block_of_another_kind_is_not_left_out_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "keys.pem"
    block = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    path.write_bytes(public_pem(keys.generate_key()) + block)
    with pytest.raises(SigningKeyError, match="nothing else"):
        keys.load_trusted(path)


def test_a_private_key_among_the_trusted_is_pointed_out(pair: Path) -> None:
    with pytest.raises(SigningKeyError, match="private key; only public ones"):
        keys.load_trusted(pair)


def test_an_empty_or_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SigningKeyError, match=r"holds no \*\.pem or \*\.pub"):
        keys.load_trusted(tmp_path)
    with pytest.raises(SigningKeyError, match="absent cannot be read"):
        keys.load_trusted(tmp_path / "absent")


def test_no_keys_at_all_are_a_mistake() -> None:
    with pytest.raises(SigningKeyError, match="no trusted keys"):
        keys.TrustedKeys({})

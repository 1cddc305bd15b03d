"""The keys that sign banks, and those that are trusted: Ed25519, as PEM files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..errors import SigningKeyError
from ..files import read_at_most

_MAX_KEY_BYTES = 64 << 10  # a public key has about 110 bytes; a file may list many
_KEY_FILES = (".pem", ".pub")
_PUBLIC_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


@dataclass(frozen=True)
class TrustedKeys:
    """The public keys whose signatures count, by key id."""

    keys: Mapping[str, Ed25519PublicKey]

    def __post_init__(self) -> None:
        # Nothing could ever be loaded; that is a mistake in the settings, not a wish.
        if not self.keys:
            raise SigningKeyError("no trusted keys are given")


def generate_key() -> Ed25519PrivateKey:
    """A new private key, from the operating system's randomness."""
    return Ed25519PrivateKey.generate()


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the sha256 of the key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def write_key_pair(file: Path, private: Ed25519PrivateKey, passphrase: bytes | None = None) -> Path:
    """Write a private key (PEM, PKCS #8, readable by its owner only) and `<file>.pub`.

    Returns:
        the public key's file.

    Raises:
        SigningKeyError: one of the files exists, or cannot be written.
    """
    lock = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    beside = file.with_name(f"{file.name}.pub")
    # Looked at first, so that nothing is written where the second would fail.
    if there := [path for path in (file, beside) if os.path.lexists(path)]:
        raise SigningKeyError(f"{there[0]} exists already; keys are never overwritten")
    _write_new(file, secret, 0o600)
    _write_new(beside, public, 0o644)
    return beside


def load_private(file: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read a private key: PEM, PKCS #8.

    Raises:
        SigningKeyError: unreadable, no Ed25519 key, or the passphrase is missing or wrong.
    """
    data = _read_key(file)
    try:
        key = serialization.load_pem_private_key(data, passphrase or None)
    except TypeError as exc:
        state = "not encrypted, but a passphrase is given" if passphrase else "encrypted"
        raise SigningKeyError(f"the private key {file} is {state}") from exc
    except (ValueError, UnsupportedAlgorithm) as exc:
        wrong = ", or the passphrase is wrong" if passphrase else ""
        raise SigningKeyError(f"{file} holds no PEM private key{wrong}") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(f"the private key {file} is of another kind than Ed25519")
    return key


def load_trusted(path: Path) -> TrustedKeys:
    """Read public keys (PEM): of a file, which may list several, or of a folder's *.pub and *.pem.

    Raises:
        SigningKeyError: no such file, or one without a key, or with any that is no Ed25519 key.
    """
    try:
        files = [path]
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.suffix in _KEY_FILES and not p.is_dir())
    except OSError as exc:
        raise SigningKeyError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if not files:
        raise SigningKeyError(f"{path} holds no {' or '.join(f'*{end}' for end in _KEY_FILES)}")
    keys = [key for file in files for key in _public_keys(file)]
    return TrustedKeys(MappingProxyType({key_id(key): key for key in keys}))


def _public_keys(file: Path) -> list[Ed25519PublicKey]:
    data = _read_key(file)
    if b"PRIVATE KEY-----" in data:
        raise SigningKeyError(f"{file} holds a private key; only public ones belong here")
    found = []
    for block in _PUBLIC_PEM.findall(data):
        try:
            key = serialization.load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm) as exc:
            raise SigningKeyError(f"{file} holds a public key that cannot be read") from exc
        if not isinstance(key, Ed25519PublicKey):
            raise SigningKeyError(f"{file} holds a public key of another kind than Ed25519")
        found.append(key)
    # A block of another kind must not be left out in silence: somebody means it to be trusted.
    if not found or len(found) != data.count(b"-----BEGIN"):
        raise SigningKeyError(f"{file} must hold PEM public keys, and nothing else in PEM")
    return found


def _read_key(file: Path) -> bytes:
    try:
        data = read_at_most(file, _MAX_KEY_BYTES)
    except OSError as exc:
        raise SigningKeyError(f"the key {file} cannot be read: {exc.strerror or exc}") from exc
    if len(data) > _MAX_KEY_BYTES:
        raise SigningKeyError(f"{file} is larger than {_MAX_KEY_BYTES} bytes: no key file")
    return data


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Not `write_whole`, which replaces what is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise SigningKeyError(f"{path} cannot be written: {exc.strerror or exc}") from exc

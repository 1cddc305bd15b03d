"""Who vouches for a bank: an Ed25519 signature (RFC 8032) beside the manifest that it covers.

models/<category>/<bank version>/signature.json

    {
      "algorithm": "ed25519",
      "key_id": "2152f8d19b791d24",
      "signature": "7Xsg…YCg=="
    }

`key_id` is the first 16 hex digits of the sha256 of the public key's 32 bytes, `signature` the
base64 of the 64 bytes signed over `CONTEXT + manifest.json`. The manifest holds the sha256 of
bank.safetensors, so the signature covers the bank; it holds category and version, which
`artifact.load` compares with the folder, so a signed bank serves nowhere but in its own place.
Which of the signed versions serves is up to `current`: going back to an older one is allowed.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import SignatureError
from ..files import read_at_most, write_whole
from .manifest import MANIFEST
from .signing_keys import TrustedKeys, key_id

SIGNATURE = "signature.json"
ALGORITHM = "ed25519"
# Signed before the manifest: a signature made for any other purpose can never pass for a bank's.
CONTEXT = b"goodsguard bank manifest v1\0"

_KEY_ID = re.compile(r"[0-9a-f]{16}")
_MAX_SIGNATURE_BYTES = 4 << 10  # a signature file has about 170 bytes


@dataclass(frozen=True)
class _Signature:
    algorithm: str
    key_id: str
    signature: str

    def render(self) -> bytes:
        return (json.dumps(asdict(self), indent=2) + "\n").encode()


def sign(folder: Path, private: Ed25519PrivateKey) -> str:
    """Write `signature.json` beside a version's manifest; one that is there is replaced.

    Returns:
        the key's id.

    Raises:
        SignatureError: there is no manifest, or the folder cannot be written.
    """
    signer = key_id(private.public_key())
    try:
        value = private.sign(CONTEXT + (folder / MANIFEST).read_bytes())
        written = _Signature(ALGORITHM, signer, base64.b64encode(value).decode())
        write_whole(folder / SIGNATURE, written.render(), sync=True)
    except OSError as exc:
        raise SignatureError(f"{folder} cannot be signed: {exc.strerror or exc}") from exc
    return signer


def check(folder: Path, manifest_bytes: bytes, trusted: TrustedKeys) -> str:
    """`verify` with the signature that lies in a version's folder.

    Args:
        manifest_bytes: what was read of manifest.json, and will be parsed: not read a second time.

    Returns:
        the id of the key that signed.

    Raises:
        SignatureError: as for `verify`, or the signature cannot be read.
    """
    try:
        data = read_at_most(folder / SIGNATURE, _MAX_SIGNATURE_BYTES)
    except FileNotFoundError:
        return verify(manifest_bytes, None, trusted)
    except OSError as exc:
        raise SignatureError(f"{SIGNATURE} cannot be read: {exc.strerror or exc}") from exc
    return verify(manifest_bytes, data, trusted)


def verify(manifest_bytes: bytes, signature_bytes: bytes | None, trusted: TrustedKeys) -> str:
    """Check a signature over a manifest's exact bytes.

    Args:
        signature_bytes: the content of signature.json; None where there is none.

    Returns:
        the id of the key that signed.

    Raises:
        SignatureError: not signed, malformed, by a key that is not trusted, or wrong.
    """
    if signature_bytes is None:
        raise SignatureError(f"not signed: there is no {SIGNATURE}, and only signed banks are used")
    signer, signature = _parse(signature_bytes)
    public = trusted.keys.get(signer)
    if public is None:
        raise SignatureError(
            f"signed with the key {signer}, which is not among the trusted ones "
            f"({', '.join(sorted(trusted.keys))})"
        )
    try:
        public.verify(signature, CONTEXT + manifest_bytes)
    except InvalidSignature as exc:
        raise SignatureError(
            f"{SIGNATURE} does not match {MANIFEST}: one of them was changed after signing"
        ) from exc
    return signer


def _parse(data: bytes) -> tuple[str, bytes]:
    """The key's id and the signature's bytes."""
    if len(data) > _MAX_SIGNATURE_BYTES:
        raise SignatureError(f"{SIGNATURE} is larger than {_MAX_SIGNATURE_BYTES} bytes")
    try:
        claimed = _Signature(**json.loads(data))
        if claimed.algorithm != ALGORITHM:
            raise SignatureError(f"{SIGNATURE} is malformed: its algorithm is not {ALGORITHM}")
        value = base64.b64decode(claimed.signature, validate=True)
        # One spelling only, of spaces, escapes, repeated names and the spare bits of base64: what
        # is accepted is then exactly what `sign` wrote.
        plain = _Signature(ALGORITHM, claimed.key_id, base64.b64encode(value).decode())
        if not _KEY_ID.fullmatch(claimed.key_id) or plain.render() != data:
            raise ValueError("another spelling")
    # RecursionError: json follows 4 KiB of brackets all the way down.
    except (ValueError, TypeError, RecursionError) as exc:
        raise SignatureError(
            f"{SIGNATURE} is malformed: not as `goodsguard sign` writes it"
        ) from exc
    return claimed.key_id, value

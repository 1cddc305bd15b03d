"""Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
# What the specification asks for.
_MIN_BYTES, _MAX_BYTES = 24, 64


def secrets_of(text: str) -> tuple[bytes, ...]:
    """The keys of secrets `whsec_<base64>`, one a line: both, while one is changed for another.

    Raises:
        ValueError: one is not of that form; the text does not repeat it.
    """
    return tuple(_key(secret) for secret in text.split())


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        raise ValueError(f"a webhook's secret begins with {_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a webhook's secret is base64 behind {_PREFIX}") from None
    if not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(f"a webhook's secret has {_MIN_BYTES} to {_MAX_BYTES} bytes")
    return key


def headers(identity: str, unix_time: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of one attempt: a signature for each key; none without keys.

    Args:
        unix_time: of this attempt, in seconds: receivers refuse what is older than some minutes.
    """
    signed = f"{identity}.{unix_time}.".encode() + body
    named = {"webhook-id": identity, "webhook-timestamp": str(unix_time)}
    if keys:
        marks = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
        named["webhook-signature"] = " ".join(
            f"v1,{base64.b64encode(mark).decode()}" for mark in marks
        )
    return named

"""API keys: who each belongs to and what it may do. Only their hashes are kept.

Keys are hashed with plain SHA-256. That is enough for what `goodsguard key` makes: 256 random
bits cannot be guessed, however fast the hash is. A slow hash is for passwords, which people choose;
a password is no key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Literal

import structlog
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

log = structlog.get_logger()

# Each includes those before it.
Scope = Literal["score", "review", "admin"]
SCOPES: tuple[Scope, ...] = ("score", "review", "admin")

# Shorter ones than this were typed by somebody, and can be guessed.
_SHORT = 20

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_HASH = r"sha256:(?P<sha256>[0-9a-fA-F]{64})"
_HASHED = re.compile(_HASH)
_NAMED = re.compile(rf"(?P<name>{NAME}):(?P<scopes>\w+(?:\+\w+)*):{_HASH}")


class KeysError(Exception):
    """The setting or the file of keys cannot be used. Its text never holds a key."""


def _name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise ValueError("may have letters a-z, digits, _ and -, at most 64, none of _ - first")
    return value


def _digits(value: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise ValueError("must be 64 hexadecimal digits")
    return value.lower()


class ApiKey(BaseModel):
    """What is known of a key: never the key itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_name)]
    sha256: Annotated[str, AfterValidator(_digits)]
    scopes: frozenset[Scope] = Field(min_length=1)
    expires_at: AwareDatetime | None = None
    requests_per_minute: int | None = Field(default=None, ge=0, le=100_000, strict=True)

    def allows(self, scope: Scope) -> bool:
        """Whether the key has the scope, or one that includes it."""
        return not self.scopes.isdisjoint(SCOPES[SCOPES.index(scope) :])


def hashed(key: bytes) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key).hexdigest()


def keys_of_setting(values: Sequence[str]) -> tuple[ApiKey, ...]:
    """The keys of GOODSGUARD_API_KEYS: `name:scopes:sha256:<hex>`, `sha256:<hex>` or plain.

    Scopes are joined by `+`. The two short forms have the scope `score` and are named by their
    place, `key-1` and so on.

    Raises:
        KeysError: naming the place, not the value.
    """
    return tuple(_key_of_setting(value, place) for place, value in enumerate(values, start=1))


def _key_of_setting(value: str, place: int) -> ApiKey:
    if named := _NAMED.fullmatch(value):
        scopes = named["scopes"].split("+")
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise KeysError(f"key {place} of the setting has unknown scopes: {', '.join(unknown)}")
        return ApiKey.model_validate(
            {"name": named["name"], "sha256": named["sha256"], "scopes": scopes}
        )
    if ":sha256:" in value:
        # Taken as a plain key, a slip of the pen would lock its holder out without a word.
        raise KeysError(f"key {place} of the setting is not of the form name:scopes:sha256:<hex>")
    name = f"key-{place}"
    if given := _HASHED.fullmatch(value):
        return ApiKey(name=name, sha256=given["sha256"], scopes=frozenset({"score"}))
    if len(value) < _SHORT:
        log.warning("a short API key can be guessed; `goodsguard key` makes better", key=name)
    return ApiKey(name=name, sha256=hashed(value.encode()), scopes=frozenset({"score"}))


def together(keys: Sequence[ApiKey]) -> tuple[ApiKey, ...]:
    """The keys, no two of one name or with one hash: either would make the log ambiguous."""
    names: set[str] = set()
    owners: dict[str, str] = {}
    for key in keys:
        if key.name in names:
            raise KeysError(f"two API keys have the name {key.name!r}")
        if key.sha256 in owners:
            raise KeysError(f"{owners[key.sha256]!r} and {key.name!r} are the same API key")
        names.add(key.name)
        owners[key.sha256] = key.name
    return tuple(keys)

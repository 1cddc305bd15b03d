"""The file of API keys: TOML, one table per key.

[keys.camera-1]
sha256 = "…"                         # 64 hexadecimal digits
scopes = ["score"]                   # or ["review"], which includes score, or ["admin"]: all
expires_at = 2027-01-01T00:00:00Z    # optional
requests_per_minute = 120            # optional; 0: no limit
"""

from __future__ import annotations

import os
import stat
import tomllib
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..core.files import exclusively, whole_file
from ..core.wording import plain_faults
from .keys import ApiKey, KeysError


def read_keys(content: bytes) -> tuple[ApiKey, ...]:
    """The keys in the file's order.

    Raises:
        KeysError: naming the key and the field, never a value.
    """
    try:
        document = tomllib.loads(content.decode())
    except UnicodeDecodeError as exc:
        raise KeysError("the API keys file is not UTF-8") from exc
    except tomllib.TOMLDecodeError as exc:
        raise KeysError(f"the API keys file is not TOML: {exc}") from exc
    tables = document.pop("keys", {})
    if document:
        raise KeysError(f"the API keys file has unknown entries: {', '.join(sorted(document))}")
    if not isinstance(tables, dict):
        raise KeysError("the API keys file must hold tables [keys.NAME]")
    return tuple(_key(name, table) for name, table in tables.items())


def _key(name: str, table: Any) -> ApiKey:
    if not isinstance(table, dict) or "name" in table:
        raise KeysError(f"API key {name!r} must be a table [keys.NAME], its name in its title")
    try:
        return ApiKey.model_validate({**table, "name": name})
    except ValidationError as exc:
        # Of the messages, not the inputs: somebody may have written the key where its hash belongs.
        raise KeysError(f"API key {name!r}: {plain_faults(exc)}") from exc


def entry(key: ApiKey) -> str:
    """The key's lines in the file."""
    scopes = ", ".join(f'"{scope}"' for scope in sorted(key.scopes))
    lines = [f"[keys.{key.name}]", f'sha256 = "{key.sha256}"', f"scopes = [{scopes}]"]
    if key.expires_at is not None:
        lines.append(f"expires_at = {key.expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    if key.requests_per_minute is not None:
        lines.append(f"requests_per_minute = {key.requests_per_minute}")
    return "\n".join(lines) + "\n"


def append(path: Path, key: ApiKey) -> None:
    """Add a key to the file, made where missing; whole or not at all, comments kept.

    Raises:
        KeysError: the file is broken, or has a key of that name; it stays as it was.
        OSError: it cannot be written.
    """
    path = path.resolve()  # of a link, the file that it leads to
    # A lock of its own: the file itself is replaced.
    with exclusively(path.with_name(f".{path.name}.lock")):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if any(known.name == key.name for known in read_keys(before.encode())):
            raise KeysError(f"the file has an API key named {key.name!r} already")
        after = (f"{before.rstrip()}\n\n" if before.strip() else "") + entry(key)
        read_keys(after.encode())
        _replace(path, after)


def _replace(path: Path, text: str) -> None:
    with whole_file(path, sync=True) as partial:
        partial.touch(0o600)
        if path.exists():
            old = path.stat()
            partial.chmod(stat.S_IMODE(old.st_mode))
            # The service's user must still be able to read what root has added to.
            if hasattr(os, "chown"):  # Windows has owners of another kind
                with suppress(PermissionError):
                    os.chown(partial, old.st_uid, old.st_gid)
        partial.write_text(text, encoding="utf-8")

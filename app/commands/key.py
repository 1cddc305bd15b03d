"""Make an API key: shown once, only its hash is kept.

The key alone goes to standard output, so that it can be piped into a vault.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from ..access.keys import ApiKey, KeysError, Scope, hashed
from ..access.keys_file import append, entry
from ..core.wording import plain_faults

# Tells people, and programs that look for leaked secrets, what they have found.
PREFIX = "goodsguard_"


def main(
    name: Annotated[str, typer.Option(help="Whose key it is; the log shows it.")],
    scope: Annotated[
        Scope, typer.Option(help="What it may do; each includes those before it.")
    ] = "score",
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Valid this long; default: for ever.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=0, help="Its own limit; 0: none; default: the service's.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Add the entry to this file (GOODSGUARD_API_KEYS_FILE).")
    ] = None,
) -> None:
    """Make an API key; its entry is printed, or added to a file."""
    secret = PREFIX + secrets.token_urlsafe(32)  # 256 random bits
    expires = None
    if expires_days is not None:
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=expires_days)
    try:
        key = ApiKey(
            name=name,
            sha256=hashed(secret.encode()),
            scopes=frozenset({scope}),
            expires_at=expires,
            requests_per_minute=requests_per_minute,
        )
        if file is not None:
            append(file, key)
    except ValidationError as exc:
        raise _stop(plain_faults(exc)) from exc
    except (KeysError, OSError) as exc:
        raise _stop(str(exc)) from exc
    typer.echo(secret)
    if file is not None:
        typer.echo(f"its entry was added to {file}; the key is not shown again", err=True)
    else:
        typer.echo(f"\nfor GOODSGUARD_API_KEYS_FILE:\n\n{entry(key)}", err=True)
        typer.echo(f"or for GOODSGUARD_API_KEYS: {name}:{scope}:sha256:{key.sha256}", err=True)


def _stop(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(1)

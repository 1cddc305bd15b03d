"""What signs sessions: the setting, a file beside the records, or made for this start."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

import structlog

from ..core.files import read_at_most

log = structlog.get_logger()

FILE = "page-secret"
_BYTES = 32


def session_secret(setting: str | None, folder: Path | None) -> bytes:
    """The secret: the setting's where there is one, else the folder's, made where there is none.

    All processes of a service share it then, and sessions outlive a restart. Where neither can be
    had it is this process's own: everyone logs in again after a restart.

    Args:
        setting: GOODSGUARD_SESSION_SECRET.
        folder: where the records lie; None: there are none.
    """
    if setting is not None:
        return setting.encode()
    if folder is not None:
        try:
            return _kept(folder / FILE)
        except OSError as exc:
            log.warning("sessions end with this process", reason=exc.strerror, file=FILE)
    return secrets.token_bytes(_BYTES)


def _kept(path: Path) -> bytes:
    """The file's content; of several processes that make it at once one wins, and all read that."""
    with suppress(FileNotFoundError):
        return _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(partial, path)  # unlike a rename, never over what another has made
    finally:
        partial.unlink(missing_ok=True)
    return _read(path)


def _read(path: Path) -> bytes:
    content = read_at_most(path, 4 * _BYTES).strip()
    if len(content) < _BYTES:
        raise OSError(0, f"it holds less than {_BYTES} characters: delete it, a new one is made")
    return content

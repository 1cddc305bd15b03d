"""The keys that open the service; a changed file of keys is taken up without a restart."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from ..core.files import read_at_most
from ..core.lookout import Lookout
from .keys import ApiKey, KeysError, hashed, keys_of_setting, together
from .keys_file import read_keys

log = structlog.get_logger()

_MAX_BYTES = 1 << 20  # thousands of keys


class KeyStore:
    """The keys of the setting and of the file.

    The event loop alone asks it; the file is read on a thread, one at a time.

    Args:
        values: GOODSGUARD_API_KEYS, split.
        path: GOODSGUARD_API_KEYS_FILE.
        clock: seconds, monotonic.
        now: for expiry.

    Raises:
        KeysError: what cannot be used at the start stops the start.
    """

    def __init__(
        self,
        values: Sequence[str] = (),
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._fixed = together(keys_of_setting(values))
        self._keys, self._path = self._fixed, path
        self._now = now
        self._lookout = Lookout(self._look, "API keys", clock=clock)
        self._content: bytes | None = None
        if path is not None:
            self._content = _content_of(path)
            self._take_up(path, self._content)

    @property
    def names(self) -> list[str]:
        """Of all keys, expired ones included."""
        return sorted(key.name for key in self._keys)

    def find(self, given: bytes) -> ApiKey | None:
        """The key that was sent, unless it is unknown or has expired; of the keys as of the last
        look at the file."""
        digest = hashed(given)
        # Compared with every key, so that the time says nothing about which one was near.
        found = [key for key in self._keys if hmac.compare_digest(digest, key.sha256)]
        if not given or not found:
            return None
        (key,) = found
        if self._is_over(key):
            log.warning("an expired API key was sent", key=key.name)
            return None
        return key

    def named(self, name: str) -> ApiKey | None:
        """The key of that name, unless there is none or it has expired; as of the last look."""
        return next((k for k in self._keys if k.name == name and not self._is_over(k)), None)

    def _is_over(self, key: ApiKey) -> bool:
        return key.expires_at is not None and key.expires_at <= self._now()

    async def refresh(self, *, now: bool = False) -> None:
        """Look at the file beside the loop, where that is due, and wait for it: a key that was
        taken out opens nothing a second later, however long nobody has asked.

        Args:
            now: however lately that was done.
        """
        if self._path is not None:
            await self._lookout.refresh(now=now)

    def look(self) -> None:
        """Take up the file where that is due and it has changed."""
        if self._path is not None:
            self._lookout.look()

    def _look(self) -> None:
        assert self._path is not None
        before = self._content
        try:
            self._content = None  # unreadable, unless the next line says otherwise
            self._content = _content_of(self._path)
            # The content decides, not time, size or inode: they miss quick changes and those on
            # some mounts, and a few kilobytes a second cost nothing.
            if self._content != before:
                self._take_up(self._path, self._content)
        except KeysError as exc:
            if self._content != before:
                log.error("the API keys stay as they were", reason=str(exc))

    def _take_up(self, path: Path, content: bytes) -> None:
        self._keys = together((*self._fixed, *read_keys(content)))
        log.info("API keys read from their file", names=self.names)
        _warn_of_mode(path)


def _content_of(path: Path) -> bytes:
    try:
        content = read_at_most(path, _MAX_BYTES)
    except OSError as exc:
        raise KeysError(f"the API keys file cannot be read: {exc.strerror} ({path})") from exc
    if len(content) > _MAX_BYTES:
        raise KeysError(f"the API keys file has more than {_MAX_BYTES:,} bytes")
    return content


def _warn_of_mode(path: Path) -> None:
    with suppress(OSError):
        mode = path.stat().st_mode
        if mode & 0o022:
            log.warning("others can write the API keys file, and so let themselves in")
        elif mode & 0o004:
            log.warning("everyone on this machine can read the API keys file")

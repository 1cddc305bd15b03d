"""This process's notes of what it serves, for whoever clears away old versions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from ..core.store import serving

log = structlog.get_logger()

# Notes count for a week; one that something removed is soon there again.
RENEW_S = 600.0


class ServingNotes:
    """One note a category, under a name that no other process has. Not thread-safe."""

    def __init__(self, models: Path) -> None:
        self._models, self._process = models, secrets.token_hex(4)
        self._serving: dict[str, str] = {}
        self._renewed = time.monotonic()

    def tell(self, versions: Mapping[str, str]) -> None:
        """Note what serves, by category, where it is new: no build clears it away, whatever comes
        after it."""
        for name, version in versions.items():
            if self._serving.get(name) == version:
                continue
            try:
                serving.note(self._models, name, version, process=self._process)
            except OSError as exc:  # such as a read-only disk; then no version is cleared away
                log.info("not noted which version serves", category=name, reason=exc.strerror)
        self._serving = dict(versions)

    def are_due(self) -> bool:
        """Whether it is time to renew them."""
        return time.monotonic() >= self._renewed + RENEW_S

    def renew(self) -> None:
        """What serves still does. Notes that could not be written are tried again."""
        self._renewed = time.monotonic()
        for name, version in self._serving.items():
            with suppress(OSError):  # told when it was first tried
                serving.renew(self._models, name, version, process=self._process)

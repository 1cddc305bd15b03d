"""Banks exchanged while the service runs: load, verify, self-test, then swap one reference."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import structlog

from ..core.detector import Detector
from ..core.errors import ArtifactError, GoodsGuardError, UnknownCategory
from ..core.threads import limited_to, thread_budget
from .registry import BankSource, Registry, Unavailable
from .serving_notes import ServingNotes

log = structlog.get_logger()

ReloadOutcome = Literal["loaded", "unchanged", "failed", "removed"]


@dataclass(frozen=True)
class Reloaded:
    """What became of one category; `bank_version` is the one that serves now."""

    category: str
    outcome: ReloadOutcome
    bank_version: str | None
    reason: str | None = None


class Reloads:
    """The registry that serves, and its exchange. Requests that run finish on the bank they have.

    A version that fails leaves the one before serving, and its reason in `registry.failures`.
    """

    def __init__(self, source: BankSource, on_change: Callable[[Registry], None]) -> None:
        """Loads everything there is; `on_change` is told of every registry, the first included."""
        self._source = source
        self._on_change = on_change
        self._lock = threading.Lock()
        # The version last seen in `current`: read before it is loaded, so that one which comes
        # meanwhile is seen as new.
        self._tried: dict[str, str] = {}
        self._notes = ServingNotes(source.models)
        self.registry = Registry()
        try:
            self._tried = {name: source.fingerprint(name) for name in source.names()}
            self.registry = source.load_all()
        except ArtifactError as exc:  # of the folder itself, which may be mended while we run
            log.error("no bank is loaded", reason=str(exc))
        source.keep_networks(self.registry.detectors.values())
        self._notes.tell(self._versions())
        on_change(self.registry)

    def refresh(self) -> list[Reloaded]:
        """Take up what has changed on disk, and try again what could not be loaded."""
        with self._exchange():
            stored = self._source.names()
            gone = [name for name in self.registry.entries if name not in stored]
            return [self._remove(name) for name in gone] + [self._load(name) for name in stored]

    def watch(self) -> list[Reloaded]:
        """Take up versions that `current` names for the first time; nothing is removed, since a
        folder may be away for a moment, and nothing that failed is tried again."""
        with self._exchange():
            source = self._source
            new = [n for n in source.names() if source.fingerprint(n) != self._seen(n)]
            return [self._load(name) for name in new]

    def activate(self, category: str, version: str | None = None) -> Reloaded:
        """Go back to a version: the newest that is older than the one that serves, or another.

        It is loaded and tested before `current` names it.

        Raises:
            UnknownCategory: nothing is stored under that name.
            ArtifactError: no such version, it cannot serve, or `current` cannot be written.
        """
        with self._exchange():
            before = self._serving(category)
            version = version or self._source.previous(category, before)
            detector = self._detector(category, version)
            self._source.activate(category, version)
            # Of this version, not of what `current` names by now: a build may have ended meanwhile.
            self._tried[category] = self._source.fingerprint_of(category, version)
            self._swap(category, detector)
            log.info("reloaded", category=category, bank_version=version, before=before)
            return Reloaded(category, "loaded", version)

    def notes_are_due(self) -> bool:
        """Whether it is time for `renew_notes`."""
        return self._notes.are_due()

    def renew_notes(self) -> None:
        """Note once more what serves, so that it is not cleared away; not while banks change."""
        if self._lock.acquire(blocking=False):
            try:
                self._notes.renew()
            finally:
                self._lock.release()

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """One at a time. A network that could not be loaded is waited for once per exchange,
        however many banks need it, and asked for again in the next."""
        # Of this thread's own: the network's threads may be limited just now (`limited_to`).
        with self._lock, limited_to(thread_budget()):
            try:
                yield
            finally:
                self._source.keep_networks(self.registry.detectors.values())

    def _detector(self, category: str, version: str) -> Detector:
        try:
            return self._source.detector(category, version)
        except (ArtifactError, UnknownCategory):
            raise
        except GoodsGuardError as exc:  # of its network, its weights, its scores
            raise ArtifactError(f"{version} cannot serve: {exc.public}") from exc

    def _seen(self, name: str) -> str | None:
        return self._tried.get(name)

    def _serving(self, name: str) -> str | None:
        entry = self.registry.entries.get(name)
        return entry.manifest.bank_version if isinstance(entry, Detector) else None

    def _load(self, name: str) -> Reloaded:
        # First: what comes after it is seen as new the next time.
        self._tried[name] = self._source.fingerprint(name)
        wanted, serving = self._source.current(name), self._serving(name)
        if wanted is not None and wanted == serving:
            self._forget_failure(name)
            return Reloaded(name, "unchanged", serving)
        try:
            detector = self._source.detector(name)
        except GoodsGuardError as exc:
            return self._fail(name, exc.public, str(exc))
        except Exception as exc:
            log.exception("reload failed", category=name)
            return self._fail(name, f"unforeseen {type(exc).__name__} while loading")
        self._swap(name, detector)
        version = detector.manifest.bank_version
        log.info("reloaded", category=name, bank_version=version, before=serving)
        return Reloaded(name, "loaded", version)

    def _fail(self, name: str, reason: str, for_the_log: str | None = None) -> Reloaded:
        serving = self._serving(name)
        log.error("reload failed", category=name, reason=for_the_log or reason, serving=serving)
        entries, failures = dict(self.registry.entries), dict(self.registry.failures)
        failures[name] = reason
        if not isinstance(entries.get(name), Detector):
            entries[name] = Unavailable(reason)
        self._publish(entries, failures)
        return Reloaded(name, "failed", serving, reason)

    def _swap(self, name: str, detector: Detector) -> None:
        failures = {n: reason for n, reason in self.registry.failures.items() if n != name}
        entries = dict(self.registry.entries) | {name: detector}
        self._publish(dict(sorted(entries.items())), failures)

    def _remove(self, name: str) -> Reloaded:
        log.warning("category removed", category=name)
        self._tried.pop(name, None)
        entries = {n: entry for n, entry in self.registry.entries.items() if n != name}
        self._publish(entries, {n: r for n, r in self.registry.failures.items() if n != name})
        return Reloaded(name, "removed", None)

    def _forget_failure(self, name: str) -> None:
        if name in self.registry.failures:
            failures = {n: r for n, r in self.registry.failures.items() if n != name}
            self._publish(dict(self.registry.entries), failures)

    def _publish(
        self, entries: dict[str, Detector | Unavailable], failures: dict[str, str]
    ) -> None:
        # One reference changes: a request sees the old registry or the new one.
        self.registry = replace(
            self.registry,
            entries=MappingProxyType(entries),
            failures=MappingProxyType(failures),
        )
        self._notes.tell(self._versions())
        self._on_change(self.registry)

    def _versions(self) -> dict[str, str]:
        return {n: d.manifest.bank_version for n, d in self.registry.detectors.items()}

"""models/ -> an immutable {category: Detector or the reason why not}, swapped in whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import structlog

from ..core.detector import Detector
from ..core.errors import (
    ArtifactError,
    CategoryError,
    CategoryUnavailable,
    GoodsGuardError,
    NoSuchVersion,
    UnknownCategory,
    WeightsError,
)
from ..core.features.runtimes import Engine
from ..core.photo.category_names import among, is_category_name
from ..core.photo.images import MAX_PIXELS
from ..core.photo.listing import few
from ..core.store import artifact as artifacts
from ..core.store.artifact import Artifact
from ..core.store.signing import SIGNATURE
from ..core.store.signing_keys import TrustedKeys
from .networks import Faster, LoadExtractor, SharedNetworks, never_faster

log = structlog.get_logger()


@dataclass(frozen=True)
class Unavailable:
    """A category whose bank cannot serve."""

    reason: str


def no_such(category: str, known: Collection[str]) -> UnknownCategory:
    """The error for a category that is not known: which is meant, or which there are."""
    first = f"there is no category {category!r}"
    if (meant := among(category, known)) is not None:
        return UnknownCategory(f"{first}: its name here is {meant}")
    if not known:
        return UnknownCategory(f"{first}, nor any other yet")
    return UnknownCategory(f"{first}; there are {few(sorted(known), 10)} (see GET /categories)")


@dataclass(frozen=True)
class Registry:
    """What is loaded. A reload makes a new one.

    Attributes:
        failures: why the version that `current` names does not serve, where an older one still
            does or none.
    """

    entries: Mapping[str, Detector | Unavailable] = field(
        default_factory=lambda: MappingProxyType({})
    )
    failures: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def detector(self, category: str) -> Detector:
        """The category's detector.

        Raises:
            UnknownCategory: nothing is stored under that name.
            CategoryUnavailable: stored, but it cannot serve.
        """
        entry = self.entries.get(category)
        if entry is None:
            raise no_such(category, self.entries)
        if isinstance(entry, Unavailable):
            raise CategoryUnavailable(f"{category} is unavailable: {entry.reason}")
        return entry

    def look_up(self, categories: Iterable[str]) -> dict[str, Detector | CategoryError]:
        """Each category's detector, or why there is none."""
        found: dict[str, Detector | CategoryError] = {}
        for category in categories:
            try:
                found[category] = self.detector(category)
            except CategoryError as exc:
                found[category] = exc
        return found

    @property
    def detectors(self) -> dict[str, Detector]:
        return {name: e for name, e in self.entries.items() if isinstance(e, Detector)}


@dataclass(frozen=True)
class BankSource:
    """The banks below `models`, and what it takes to bring one into service.

    Attributes:
        trusted: keys of which one must have signed each bank; None: none need be signed.
    """

    models: Path
    networks: SharedNetworks
    max_pixels: int = MAX_PIXELS
    trusted: TrustedKeys | None = None

    def names(self) -> list[str]:
        """The categories that are stored, by name.

        Raises:
            ArtifactError: the folder is there and cannot be read.
        """
        try:
            found = sorted(self.models.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            raise ArtifactError(f"the models folder cannot be read: {exc.strerror}") from exc
        return [
            folder.name
            for folder in found
            if is_category_name(folder.name) and artifacts.is_stored(folder)
        ]

    def current(self, category: str) -> str | None:
        """The version that is to serve; None where `current` names none."""
        try:
            return artifacts.current_version(self.models / category)
        except ArtifactError:
            return None

    def keeps(self, category: str, version: str) -> bool:
        """Whether a version is stored."""
        try:
            return version in artifacts.versions(self.models / category)
        except (ArtifactError, OSError):
            return False

    def fingerprint(self, category: str) -> str:
        """Changes when there may be something new to load: another version, or its signature,
        which is made after `current` names the version."""
        version = self.current(category)
        return self.fingerprint_of(category, version)

    def fingerprint_of(self, category: str, version: str | None) -> str:
        """The same where `current` names this version."""
        try:
            signed = version and (self.models / category / version / SIGNATURE).exists()
        except OSError:  # a folder that cannot be looked into
            signed = False
        return f"{version}{' signed' if signed else ''}"

    def detector(self, category: str, version: str | None = None) -> Detector:
        """Load a version, the current one by default, verify and self-test it.

        It serves on the fastest engine whose self-test it passes; what a faster one fails of never
        keeps it from its own.

        Raises:
            GoodsGuardError: it cannot serve; the text says why.
        """
        artifact = artifacts.load(self.models, category, version, trusted=self.trusted)
        *faster, own = self.networks.engines(artifact.manifest)
        for engine in faster:
            try:
                return self._tested(artifact, engine, unasked=True)
            except WeightsError:  # no engine has what is missing
                raise
            except Exception as exc:
                log.info(
                    "not served faster",
                    category=category,
                    bank_version=artifact.manifest.bank_version,
                    engine=" ".join(engine),
                    reason=str(exc),
                )
        return self._tested(artifact, own)

    def _tested(self, artifact: Artifact, engine: Engine, *, unasked: bool = False) -> Detector:
        extractor = self.networks.extractor(artifact.manifest.features, engine)
        detector = Detector(artifact, extractor, max_pixels=self.max_pixels)
        detector.self_test(unasked=unasked)
        return detector

    def previous(self, category: str, serving: str | None) -> str:
        """The newest version older than the one that serves.

        Raises:
            UnknownCategory: nothing is stored under that name. NoSuchVersion: there is none.
        """
        folder = self.models / category
        if category not in self.names():
            raise no_such(category, self.names())
        serving = serving or self.current(category)
        older = [v for v in artifacts.versions(folder) if serving is None or v < serving]
        if not older:
            raise NoSuchVersion(f"{category} has no version older than {serving}")
        return older[-1]

    def activate(self, category: str, version: str) -> None:
        """Let `current` name a version.

        Raises:
            NoSuchVersion: it is gone. ArtifactError: `current` cannot be written.
        """
        artifacts.activate(self.models, category, version)

    def load_all(self) -> Registry:
        """Load every category; where the version that `current` names fails, the newest older one
        that can serves, and where there is none the category is marked. The others serve.

        Raises:
            ArtifactError: the models folder cannot be read.
        """
        entries: dict[str, Detector | Unavailable] = {}
        failures: dict[str, str] = {}
        for name in self.names():
            found = self._loaded(name, None)
            if isinstance(found, Unavailable):
                failures[name] = found.reason
                found = self._older(name) or found
            entries[name] = found
        return Registry(MappingProxyType(entries), MappingProxyType(failures))

    def _loaded(self, name: str, version: str | None) -> Detector | Unavailable:
        try:
            return self.detector(name, version)
        except GoodsGuardError as exc:
            log.error("bank unusable", category=name, bank_version=version, reason=str(exc))
            return Unavailable(exc.public)
        except Exception as exc:  # a bad bank never takes the service down
            log.exception("bank unusable", category=name, bank_version=version)
            return Unavailable(f"unforeseen {type(exc).__name__} while loading")

    def _older(self, name: str) -> Detector | None:
        """What served before `current` named what it names, as far as that can be told."""
        named = self.current(name)
        try:
            older = [v for v in artifacts.versions(self.models / name) if named and v < named]
        except ArtifactError:
            return None
        for version in reversed(older):
            found = self._loaded(name, version)
            if isinstance(found, Detector):
                log.warning("an older bank serves", category=name, bank_version=version)
                return found
        return None

    def keep_networks(self, detectors: Iterable[Detector]) -> None:
        """Forget networks that none of these uses, and failures to load one."""
        self.networks.keep(detector.extractor.runtime for detector in detectors)


def load_registry(
    models: Path,
    load_extractor: LoadExtractor,
    faster: Faster = never_faster,
    *,
    max_pixels: int = MAX_PIXELS,
) -> Registry:
    """Load every category below `models`, for who does not exchange them later."""
    return BankSource(models, SharedNetworks(load_extractor, faster), max_pixels).load_all()

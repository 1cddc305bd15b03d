"""models/ -> an immutable {category: Detector or the reason why not}, swapped in whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import structlog
import torch

from app.core import artifact as artifacts
from app.core.dataset import is_category_name
from app.core.detector import Detector
from app.core.errors import CategoryUnavailable, GoodsGuardError, UnknownCategory
from app.core.features import Extractor, FeatureExtractor, FeatureSpec
from app.core.images import MAX_PIXELS
from app.core.manifest import Manifest, RuntimeRecord
from app.core.runtimes import choose_runtime

log = structlog.get_logger()

LoadExtractor = Callable[[FeatureSpec, RuntimeRecord], Extractor]


@dataclass(frozen=True)
class Unavailable:
    """A category whose bank cannot serve."""

    reason: str


@dataclass(frozen=True)
class Registry:
    """What is loaded. A reload makes a new one."""

    entries: Mapping[str, Detector | Unavailable] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def detector(self, category: str) -> Detector:
        """The category's detector.

        Raises:
            UnknownCategory: nothing is stored under that name.
            CategoryUnavailable: stored, but it cannot serve.
        """
        entry = self.entries.get(category)
        if entry is None:
            raise UnknownCategory(f"there is no category {category!r}")
        if isinstance(entry, Unavailable):
            raise CategoryUnavailable(f"{category} is unavailable: {entry.reason}")
        return entry

    @property
    def detectors(self) -> dict[str, Detector]:
        return {name: e for name, e in self.entries.items() if isinstance(e, Detector)}


def load_registry(
    models: Path, load_extractor: LoadExtractor, *, max_pixels: int = MAX_PIXELS
) -> Registry:
    """Load every category below `models`; one that fails is marked, the others serve."""
    entries: dict[str, Detector | Unavailable] = {}
    share = SharedNetworks(load_extractor)
    for folder in sorted(models.iterdir()) if models.is_dir() else []:
        if not is_category_name(folder.name) or not artifacts.is_stored(folder):
            continue
        try:
            artifact = artifacts.load(models, folder.name)
            extractor = share.extractor(artifact.manifest)
            detector = Detector(artifact, extractor, max_pixels=max_pixels)
            detector.self_test()
            entries[folder.name] = detector
        except GoodsGuardError as exc:
            log.error("category unavailable", category=folder.name, reason=str(exc))
            entries[folder.name] = Unavailable(str(exc))
        except Exception as exc:  # a bad bank never takes the service down
            log.exception("category unavailable", category=folder.name)
            entries[folder.name] = Unavailable(f"unforeseen {type(exc).__name__} while loading")
    return Registry(MappingProxyType(entries))


class SharedNetworks:
    """Feature extractors by spec: categories of one network share it."""

    def __init__(self, load_extractor: LoadExtractor) -> None:
        self._load = load_extractor
        # A failure is kept too: six categories must not wait six times for a silent network.
        self._loaded: dict[str, Extractor | GoodsGuardError] = {}

    def extractor(self, manifest: Manifest) -> Extractor:
        """The extractor of a bank's features, its network loaded once.

        Raises:
            PresetError, WeightsNotFound, WeightsMismatch.
        """
        spec = manifest.features
        key = f"{spec.network_key()} {manifest.runtime.name} {manifest.runtime.precision}"
        if key not in self._loaded:
            try:
                self._loaded[key] = self._load(spec, manifest.runtime)
            except GoodsGuardError as exc:
                self._loaded[key] = exc
        extractor = self._loaded[key]
        if isinstance(extractor, GoodsGuardError):
            raise extractor
        if extractor.spec != spec and isinstance(extractor, FeatureExtractor):
            return extractor.with_spec(spec)
        return extractor


def extractor_loader(
    device: torch.device, weights: Path | None, runtime: str = "auto", precision: str = "auto"
) -> LoadExtractor:
    """Loads real extractors onto a device, with weights from a file or folder.

    What is `auto` of runtime and precision is taken from the bank where this machine can.
    """

    def load(spec: FeatureSpec, built_with: RuntimeRecord) -> FeatureExtractor:
        like = (built_with.name, built_with.precision)
        make_runtime = choose_runtime(device, runtime, precision, like=like)
        return FeatureExtractor.load(spec, device, weights, make_runtime)

    return load

"""The networks behind the banks, each loaded once, and on which engine a bank is served."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import torch

from ..core.detector import Detector
from ..core.features.backbones import BACKBONES
from ..core.features.extractor import Extractor, FeatureExtractor, FeatureSpec
from ..core.features.runtimes import Engine, Runtime, choose_runtime, fastest
from ..core.store.manifest import Manifest, RuntimeRecord

LoadExtractor = Callable[[FeatureSpec, Engine], Extractor]
# features and what calibrated the bank -> a faster engine that may serve it, if there is one
Faster = Callable[[FeatureSpec, RuntimeRecord], Engine | None]


def never_faster(spec: FeatureSpec, built_with: RuntimeRecord) -> None:
    """No bank is served on another engine than its own."""


class SharedNetworks:
    """Feature extractors by spec and engine: categories of one network share it."""

    def __init__(self, load_extractor: LoadExtractor, faster: Faster = never_faster) -> None:
        self._load = load_extractor
        self._faster = faster
        # A failure is kept too: six categories must not wait six times for a silent network, nor
        # compile six times what the engine cannot.
        self._loaded: dict[str, Extractor | Exception] = {}

    def beside(self) -> SharedNetworks:
        """For banks that do not serve: what is loaded here is theirs, too; what they load besides,
        and what fails of it, is nobody else's."""

        def load(spec: FeatureSpec, engine: Engine) -> Extractor:
            found = self._loaded.get(_key(spec, engine))
            return (
                self._load(spec, engine) if found is None or isinstance(found, Exception) else found
            )

        return SharedNetworks(load, self._faster)

    def engines(self, manifest: Manifest) -> list[Engine]:
        """What may serve a bank, the one that calibrated it last."""
        faster = self._faster(manifest.features, manifest.runtime)
        own = (manifest.runtime.name, manifest.runtime.precision)
        return [faster, own] if faster else [own]

    def extractor(self, spec: FeatureSpec, engine: Engine) -> Extractor:
        """The extractor of a bank's features, its network loaded once.

        Raises:
            PresetError, WeightsNotFound, WeightsMismatch; what an engine raises.
        """
        key = _key(spec, engine)
        if key not in self._loaded:
            try:
                self._loaded[key] = self._load(spec, engine)
            except Exception as exc:
                self._loaded[key] = exc
        extractor = self._loaded[key]
        if isinstance(extractor, Exception):
            raise extractor
        return extractor if extractor.spec == spec else extractor.with_spec(spec)

    def keep(self, runtimes: Iterable[Runtime]) -> None:
        """Forget all networks but these, and failures: what was missing may be there now."""
        used = {id(runtime) for runtime in runtimes}
        self._loaded = {
            key: extractor
            for key, extractor in self._loaded.items()
            if not isinstance(extractor, Exception) and id(extractor.runtime) in used
        }


def _key(spec: FeatureSpec, engine: Engine) -> str:
    return " ".join((spec.network_key(), *engine))


def extractor_loader(
    device: torch.device, weights: Path | None, runtime: str = "auto", precision: str = "auto"
) -> LoadExtractor:
    """Loads real extractors onto a device, with weights from a file or folder.

    What is `auto` of runtime and precision is that of the engine where this machine has it.
    """

    def load(spec: FeatureSpec, engine: Engine) -> FeatureExtractor:
        make_runtime = choose_runtime(device, runtime, precision, like=engine)
        return FeatureExtractor.load(spec, device, weights, make_runtime)

    return load


def faster_engine(device: torch.device, runtime: str = "auto", precision: str = "auto") -> Faster:
    """Says which banks of a float32 calibration may be tried in what is faster here.

    Only where `auto` leaves the choice, and in bfloat16 only patches of networks that stand it.
    """
    engine = fastest(device)
    chosen = precision != "auto" or (engine is not None and runtime not in ("auto", engine[0]))

    def faster(spec: FeatureSpec, built_with: RuntimeRecord) -> Engine | None:
        if engine is None or chosen or built_with.precision != "float32":
            return None
        backbone = BACKBONES.get(spec.backbone)
        measured = backbone is not None and backbone.bfloat16 and spec.pooling == "patches"
        return engine if measured or engine[1] != "bfloat16" else None

    return faster


def by_network(detectors: Collection[Detector]) -> list[list[Detector]]:
    """Those together that prepare and embed a photo in the same way: what differs in its selected
    dimensions only does."""
    if len(detectors) == 1:  # most requests: a spec's key takes longer than their whole admission
        return [list(detectors)]
    groups: dict[tuple[int, str], list[Detector]] = {}
    for detector in detectors:
        extractor = detector.extractor
        seen = f"{extractor.look.record.crop} {extractor.spec.network_key()}"
        key = (id(extractor.runtime), seen)
        groups.setdefault(key, []).append(detector)
    return list(groups.values())

"""The presets that are compared, each with its network or the reason why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cli import fault_of
from ..core.building.preset import Preset, load_preset
from ..core.errors import PresetError
from ..core.features.backbones import BACKBONES
from ..core.features.extractor import FeatureExtractor
from ..core.features.runtimes import choose_device, choose_runtime


@dataclass(frozen=True)
class Contender:
    """A preset with its network, or why it has none."""

    preset: Preset
    extractor: FeatureExtractor | None
    fault: str | None = None


def load_presets(names: Sequence[str]) -> list[Preset]:
    """The presets, two or more.

    Raises:
        PresetError: an unknown or invalid one, one named twice, or only one.
    """
    presets = [load_preset(name) for name in names]
    for preset in presets:
        if presets.count(preset) > 1:
            raise PresetError(
                f"the preset {preset.name} is given more than once: there is nothing to compare it "
                "with but itself; name each preset once"
            )
    if len({preset.name for preset in presets}) < len(presets):
        raise PresetError(
            "two of the presets have the same name: give each .toml file a `name` of its own"
        )
    if len(presets) < 2:
        raise PresetError("a comparison needs two presets or more: repeat --preset for each")
    return presets


def load_contender(
    preset: Preset, device: str, runtime: str, precision: str, weights: Path | None
) -> Contender:
    """Load a preset's network; a network that cannot be loaded is that preset's fault alone."""
    try:
        place = choose_device(device)
        make_runtime = choose_runtime(place, runtime, precision)
        file = weights_for(preset.features.backbone, weights)
        extractor = FeatureExtractor.load(preset.features, place, file, make_runtime)
    except Exception as exc:  # an engine's own errors, too: the others can be compared
        return Contender(preset, None, fault_of(exc))
    return Contender(preset, extractor)


def weights_for(backbone: str, weights: Path | None) -> Path | None:
    """What of `--weights` is for a backbone; None: its package, cache or download.

    A file that is named for another backbone of the table is not for this one.
    """
    if weights is None or not weights.is_file():
        return weights
    owners = [name for name in BACKBONES if weights.name.startswith(name)]
    return weights if not owners or max(owners, key=len) == backbone else None

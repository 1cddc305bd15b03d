"""The presets that are compared, each with its network and look, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..cli import fault_of
from ..core.building.preset import Preset, load_preset
from ..core.choosing.candidates import cropping
from ..core.errors import PresetError
from ..core.features.backbones import BACKBONES
from ..core.features.extractor import FeatureExtractor
from ..core.features.runtimes import choose_device, choose_runtime
from .looks_to_compare import AskedLook


@dataclass(frozen=True)
class Contender:
    """A preset with its network, or why it has none.

    Attributes:
        preset: with the look that it is compared with; before a trial with its own.
        extractor: of whole photos.
        asked: None: the preset's own look.
        label: what its row is named.
        folder: where its banks lie; no preset's name has a `+`.
    """

    preset: Preset
    extractor: FeatureExtractor | None
    fault: str | None = None
    asked: AskedLook | None = None

    @property
    def label(self) -> str:
        return self.preset.name if self.asked is None else f"{self.preset.name}, {self.asked.kind}"

    @property
    def folder(self) -> str:
        return self.preset.name if self.asked is None else f"{self.preset.name}+{self.asked.kind}"

    @property
    def description(self) -> str:
        """The preset's, and where it looks if that is not its own."""
        if self.asked is None:
            return self.preset.description
        looks = "the look chosen by trial" if self.asked.choice is None else self.asked.kind
        return f"{self.preset.description}; look: {looks}"

    @property
    def view(self) -> FeatureExtractor | None:
        """What its network sees: all of a photo, or a crop."""
        if self.extractor is None:
            return None
        asked = self.asked or AskedLook(self.preset.look.kind, self.preset.look)
        return self.extractor.looking(cropping(asked.crop))

    def with_look(self, asked: AskedLook) -> Contender:
        """The same preset and network, with that look."""
        own = asked.is_own_of(self.preset)
        preset = asked.applied_to(self.preset)
        return replace(self, preset=preset, asked=None if own else asked)


def with_looks(contenders: Sequence[Contender], looks: Sequence[AskedLook]) -> list[Contender]:
    """Each preset with each look; without one, with its own."""
    if not looks:
        return list(contenders)
    return [one.with_look(asked) for one in contenders for asked in looks]


def load_presets(names: Sequence[str], looks: int = 1) -> list[Preset]:
    """The presets, two or more, or one with several looks.

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
    if len(presets) * max(1, looks) < 2:
        raise PresetError(
            "a comparison needs two presets or more, or two looks: repeat --preset or --look for "
            "each"
        )
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

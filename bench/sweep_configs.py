"""What `bench.sweep` measures: the presets, and one thing changed at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from app.core.building.preset import load_preset
from app.core.features.extractor import FeatureSpec

Row = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """One row's question."""

    backbone: str
    layers: tuple[str, ...]
    input_size: int
    vectors: int
    scaling: str = "none"
    k: int = 1
    seed: int = 0

    def spec(self) -> FeatureSpec:
        """The preset's features with this row's backbone, layers and input size."""
        preset = load_preset("patch" if self.backbone.startswith("resnet") else "embedded-patch")
        size = {"input_size": self.input_size}
        changes = {
            "backbone": self.backbone,
            "layers": self.layers,
            "preprocess": preset.features.preprocess.model_copy(update=size),
        }
        return preset.features.model_copy(update=changes)

    def record(self) -> Row:
        """As a row holds it."""
        found: Row = json.loads(json.dumps(asdict(self)))
        return found

    @property
    def name(self) -> str:
        return (
            f"{self.backbone} {'+'.join(self.layers)} {self.input_size}px N={self.vectors} "
            f"{self.scaling} k={self.k} seed={self.seed}"
        )


RESNET = ("layer2", "layer3")
LITE = ("blocks.2", "blocks.4")
DEFAULT = Config("resnet18", RESNET, 256, 4000)
EMBEDDED = Config("efficientnet_lite0", LITE, 256, 8000)
SEEDS = (0, 1, 2)
# Of these, good photos are held out, too.
HELD_OUT = tuple(replace(config, seed=s) for s in SEEDS for config in (DEFAULT, EMBEDDED))


def configs() -> Iterator[Config]:
    """The grid: one thing varied at a time, around the presets. What another seed of the same
    coreset changes is the measure for the rest."""
    yield from HELD_OUT
    for backbone, layers, usual in (("resnet18", RESNET, 4000), ("efficientnet_lite0", LITE, 8000)):
        for vectors in sorted({1000, 2000, 4000, 8000} - {usual}):
            yield Config(backbone, layers, 256, vectors)
        for layer in layers:
            yield Config(backbone, (layer,), 256, usual)
        for size in (224, 320):
            yield Config(backbone, layers, size, usual)
        for scaling in ("sqrt_std", "std"):
            yield Config(backbone, layers, 256, usual, scaling=scaling)
        yield Config(backbone, layers, 256, usual, k=3)
    yield Config("efficientnet_lite0", ("blocks.2", "blocks.3", "blocks.4"), 256, 8000)
    for backbone in ("efficientnet_lite1", "efficientnet_lite2"):
        yield Config(backbone, LITE, 256, 8000)

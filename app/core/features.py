"""FeatureSpec and FeatureExtractor: from photo to embedding, for build and serve alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.core.backbones import get_backbone
from app.core.errors import NonFiniteScore, PresetError
from app.core.images import DecodedImage
from app.core.preprocess import PreparedImage, Preprocess
from app.core.runtimes import Runtime, TorchRuntime
from app.core.weights import find_weights, load_network

Embedding = npt.NDArray[np.float32]  # (P, D), or (B, P, D) for a batch

# Photos per forward pass: beyond 16 a CPU gains nothing, and 16 fit the smallest GPU.
BATCH_SIZE = 16


class FeatureSpec(BaseModel):
    """Everything that decides what a feature is.

    Attributes:
        weights_sha256: of the weights file; empty in a preset, filled in by the build.
        layers: the backbone's layers, concatenated in this order.
        pooling: `global_mean` averages each layer over the photo (P = 1); `patches` keeps one
            feature per place of the finest layer's grid (P = h·w), coarser layers interpolated.
        neighbourhood: each place is averaged with its neighbours in a square of that side, in
            its own layer, before (`patches` only; Roth et al. 2022, sec. 3.1, p = 3).
        selected_dimensions: the columns kept, of the concatenated features; None keeps all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    backbone: str
    weights_sha256: str = ""
    layers: tuple[str, ...] = Field(min_length=1)
    preprocess: Preprocess
    pooling: Literal["global_mean", "patches"] = "global_mean"
    neighbourhood: int = Field(default=1, ge=1, le=15)
    selected_dimensions: tuple[int, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> FeatureSpec:
        if self.neighbourhood % 2 == 0:
            raise ValueError("neighbourhood must be odd, so that it has a centre")
        if self.pooling == "global_mean" and self.neighbourhood != 1:
            raise ValueError("neighbourhood belongs to pooling = patches")
        return self

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the patches: the finest layer's map, or (1, 1) for a global method.

        Raises:
            PresetError: a backbone or layer that is not in the table.
        """
        if self.pooling == "global_mean":
            return 1, 1
        known = get_backbone(self.backbone).layers
        if unknown := [name for name in self.layers if name not in known]:
            raise PresetError(f"{self.backbone} has no layer {unknown}; there are {list(known)}")
        stride = min(known[name].stride for name in self.layers)
        side = -(-self.preprocess.input_size // stride)
        return side, side

    def network_key(self) -> str:
        """Equal for specs that can share one network: all but the selection of columns."""
        shared = self.model_dump(mode="json", exclude={"selected_dimensions"})
        return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


class Extractor(Protocol):
    """What build, detector and tests ask of a feature extractor.

    Attributes:
        grid: (h, w) of the patches, P = h·w; (1, 1) for a global method.
    """

    spec: FeatureSpec
    grid: tuple[int, int]

    def prepare(self, image: DecodedImage) -> PreparedImage: ...

    def embed(self, images: Sequence[PreparedImage]) -> Embedding: ...


class FeatureExtractor:
    """Photos -> embeddings, by a feature spec, on a runtime."""

    def __init__(self, spec: FeatureSpec, runtime: Runtime) -> None:
        self.spec = spec
        self.runtime = runtime
        self.grid = spec.grid
        self._columns = (
            None if spec.selected_dimensions is None else np.array(spec.selected_dimensions)
        )

    @classmethod
    def load(
        cls, spec: FeatureSpec, device: torch.device, weights: Path | None
    ) -> FeatureExtractor:
        """Find the weights, check them against the spec's hash, build the network.

        Where the spec names no hash yet (a preset), the one found is written into `self.spec`.

        Raises:
            PresetError, WeightsNotFound, WeightsMismatch.
        """
        backbone = get_backbone(spec.backbone)
        file = find_weights(backbone, weights, sha256=spec.weights_sha256 or None)
        network = load_network(backbone, spec.layers, file)
        spec = spec.model_copy(update={"weights_sha256": file.sha256})
        return cls(spec, TorchRuntime(network, device))

    def with_spec(self, spec: FeatureSpec) -> FeatureExtractor:
        """The same network under a spec that differs in its selected dimensions only."""
        assert spec.network_key() == self.spec.network_key()
        return FeatureExtractor(spec, self.runtime)

    def prepare(self, image: DecodedImage) -> PreparedImage:
        """Resize, crop or pad one photo to the network's input."""
        return self.spec.preprocess.prepare(image)

    def embed(self, images: Sequence[PreparedImage]) -> Embedding:
        """Embed a batch: B photos -> (B, P, D) float32.

        Raises:
            NonFiniteScore: the network answered with NaN or infinity.
        """
        batch = self.spec.preprocess.to_batch(images, self.runtime.device)  # (B, 3, H, W)
        maps = self.runtime.forward(batch)
        features = self._pool(maps).cpu().numpy()  # (B, P, D)
        if self._columns is not None:
            features = features[:, :, self._columns]
        if not np.isfinite(features).all():
            raise NonFiniteScore("the network's features for this photo are not finite")
        return np.ascontiguousarray(features)

    def _pool(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """One (B, C, h, w) per layer -> (B, P, D): pooled, brought to one grid, concatenated."""
        spec = self.spec
        if spec.pooling == "global_mean":
            return torch.cat([m.mean(dim=(2, 3)) for m in maps], dim=1)[:, None, :]
        grid = self.grid
        placed = [resize_map(_local_mean(m, spec.neighbourhood), grid) for m in maps]
        return torch.cat(placed, dim=1).flatten(2).transpose(1, 2)  # (B, D, h, w) -> (B, h·w, D)


def _local_mean(feature_map: torch.Tensor, side: int) -> torch.Tensor:
    """Average each place with its neighbours; at the rim over those that there are."""
    if side == 1:
        return feature_map
    return functional.avg_pool2d(
        feature_map, side, stride=1, padding=side // 2, count_include_pad=False
    )


def resize_map(feature_map: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Bilinear interpolation of (B, C, h, w) to another grid over the same picture."""
    if tuple(feature_map.shape[2:]) == grid:
        return feature_map
    return functional.interpolate(feature_map, size=grid, mode="bilinear", align_corners=False)

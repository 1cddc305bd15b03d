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
from pydantic import BaseModel, ConfigDict, Field

from app.core.backbones import find_weights, get_backbone, load_network
from app.core.errors import NonFiniteScore
from app.core.images import DecodedImage
from app.core.preprocess import PreparedImage, Preprocess
from app.core.runtimes import Runtime, TorchRuntime

Embedding = npt.NDArray[np.float32]  # (P, D), or (B, P, D) for a batch

# Photos per forward pass: beyond 16 a CPU gains nothing, and 16 fit the smallest GPU.
BATCH_SIZE = 16


class FeatureSpec(BaseModel):
    """Everything that decides what a feature is.

    Attributes:
        weights_sha256: of the weights file; empty in a preset, filled in by the build.
        layers: the backbone's layers, concatenated in this order.
        pooling: `global_mean` averages each layer over the photo (P = 1).
        selected_dimensions: the columns kept, of the concatenated features; None keeps all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str
    weights_sha256: str = ""
    layers: tuple[str, ...] = Field(min_length=1)
    preprocess: Preprocess
    pooling: Literal["global_mean"] = "global_mean"
    selected_dimensions: tuple[int, ...] | None = None

    def network_key(self) -> str:
        """Equal for specs that can share one network: all but the selection of columns."""
        shared = self.model_dump(mode="json", exclude={"selected_dimensions"})
        return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


class Extractor(Protocol):
    """What build, detector and tests ask of a feature extractor."""

    spec: FeatureSpec

    def prepare(self, image: DecodedImage) -> PreparedImage: ...

    def embed(self, images: Sequence[PreparedImage]) -> Embedding: ...


class FeatureExtractor:
    """Photos -> embeddings, by a feature spec, on a runtime."""

    def __init__(self, spec: FeatureSpec, runtime: Runtime) -> None:
        self.spec = spec
        self.runtime = runtime
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
        pooled = torch.cat([m.mean(dim=(2, 3)) for m in maps], dim=1)  # (B, D)
        features = pooled[:, None, :].cpu().numpy()  # (B, 1, D)
        if self._columns is not None:
            features = features[:, :, self._columns]
        if not np.isfinite(features).all():
            raise NonFiniteScore("the network's features for this photo are not finite")
        return np.ascontiguousarray(features)

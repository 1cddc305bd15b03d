"""FeatureSpec and FeatureExtractor: from photo to embedding, for build and serve alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..arrays import Floats
from ..errors import BankError, NonFiniteScore, PresetError, UnsupportedImage
from ..photo.images import DecodedImage
from ..photo.look import WHOLE, Look
from ..photo.preprocess import PreparedImage, Preprocess
from .backbones import get_backbone
from .embedding import EmbeddingNetwork
from .runtimes import MakeRuntime, Runtime, choose_runtime
from .sample import Sample
from .weights import find_weights, load_network

# Photos per forward pass: beyond 16 a CPU gains nothing, and 16 fit the smallest GPU.
BATCH_SIZE = 16
# A photo's cells: raw pixels of 256 × 256, the finest grid that anything here needs.
MOST_CELLS = 1 << 16


class FeatureSpec(BaseModel):
    """Everything that decides what a feature is.

    Attributes:
        weights_sha256: of the weights file; empty in a preset, filled in by the build.
        layers: the backbone's layers, concatenated in this order.
        pooling: `global_mean` averages each layer over the photo (P = 1); `patches` keeps one
            feature per place of the finest layer's grid (P = h·w), coarser layers interpolated.
        neighbourhood: each place is averaged with its neighbours in a square of that side, in
            its own layer, before (`patches` only; Roth et al. 2022, sec. 3.1, p = 3).
        unit_length: each place's concatenated feature is scaled to length 1, which makes distances
            rank as cosine distances do.
        selected_dimensions: the columns kept, of the concatenated features; None keeps all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    backbone: str
    weights_sha256: str = ""
    layers: tuple[str, ...] = Field(min_length=1, max_length=32)
    preprocess: Preprocess
    pooling: Literal["global_mean", "patches"] = "global_mean"
    neighbourhood: int = Field(default=1, ge=1, le=15)
    unit_length: bool = False
    # Wider features than these there are none; a damaged manifest must not ask for gigabytes.
    selected_dimensions: tuple[int, ...] | None = Field(
        default=None, min_length=1, max_length=1 << 16
    )

    @model_validator(mode="after")
    def _check(self) -> FeatureSpec:
        if len(set(self.layers)) < len(self.layers):
            raise ValueError("a layer is named twice")
        chosen = self.selected_dimensions or ()
        if len(set(chosen)) < len(chosen) or min(chosen, default=0) < 0:
            raise ValueError("selected_dimensions must be distinct, and none negative")
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
        finest = min((known[name] for name in self.layers), key=lambda layer: layer.stride)
        side = finest.side(self.preprocess.input_size)
        if side**2 > MOST_CELLS:
            raise PresetError(
                f"{side} × {side} cells are more than the {MOST_CELLS:,} that memory is kept for: "
                "lower input_size, or take a layer of a larger stride"
            )
        return side, side

    def network_key(self) -> str:
        """Equal for specs that can share one network: all but the selection of columns, and how
        bright white is in the photos that the network sees."""
        shared = self.model_dump(mode="json", exclude={"selected_dimensions"})
        del shared["preprocess"]["white_level"]
        return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


class Extractor(Protocol):
    """What build, detector and tests ask of a feature extractor.

    Attributes:
        grid: (H, W) of the patches, P = H·W; (1, 1) for a global method.
        runtime: the engine; extractors that share it can embed together.
        look: which part of each photo it sees.
    """

    spec: FeatureSpec
    look: Look
    grid: tuple[int, int]
    runtime: Runtime

    def at_least(self) -> tuple[int, int] | None: ...

    def prepare(self, image: DecodedImage) -> PreparedImage: ...

    def embed(self, images: Sequence[PreparedImage]) -> Floats: ...

    def sample(self, features: Floats, photo: PreparedImage) -> Sample: ...

    def with_spec(self, spec: FeatureSpec) -> Extractor: ...

    def looking(self, look: Look) -> Extractor: ...


class FeatureExtractor:
    """Photos -> embeddings, by a feature spec, on a runtime."""

    def __init__(self, spec: FeatureSpec, runtime: Runtime, look: Look = WHOLE) -> None:
        self.spec = spec
        self.runtime = runtime
        self.look = look
        self.grid = spec.grid
        self._columns = (
            None if spec.selected_dimensions is None else np.array(spec.selected_dimensions)
        )

    @classmethod
    def load(
        cls,
        spec: FeatureSpec,
        device: torch.device,
        weights: Path | None,
        make_runtime: MakeRuntime | None = None,
    ) -> FeatureExtractor:
        """Find the weights, check them against the spec's hash, build the network.

        Where the spec names no hash yet (a preset), the one found is written into `self.spec`.

        Args:
            make_runtime: from `choose_runtime`; None takes what it takes by default.

        Raises:
            PresetError, WeightsNotFound, WeightsMismatch.
        """
        backbone = get_backbone(spec.backbone)
        make_runtime = make_runtime or choose_runtime(device)
        file = find_weights(backbone, weights, sha256=spec.weights_sha256 or None)
        maps = load_network(backbone, spec.layers, file, spec.preprocess.input_size)
        network = embedding_network(maps, spec)
        spec = spec.model_copy(update={"weights_sha256": file.sha256})
        return cls(spec, make_runtime(network, spec.preprocess.input_size))

    def with_spec(self, spec: FeatureSpec) -> FeatureExtractor:
        """The same network under a spec of the same network key."""
        assert spec.network_key() == self.spec.network_key()
        return FeatureExtractor(spec, self.runtime, self.look)

    def looking(self, look: Look) -> FeatureExtractor:
        """The same network and spec, which sees another part of each photo.

        Raises:
            PresetError: places are to be weighted, and the spec has none or cuts some off.
        """
        if look.record.in_part and self.spec.pooling == "global_mean":
            raise PresetError(
                f"a {look.record.kind} look weighs places, and features of the whole photo have "
                'none: take a box and crop to it (--zoom, zoom = true), or pooling = "patches"'
            )
        if look.record.in_part and self.spec.preprocess.resize == "shorter_side_crop":
            raise PresetError(
                f'a {look.record.kind} look needs the whole photo: take resize = "letterbox"'
            )
        return FeatureExtractor(self.spec, self.runtime, look)

    def at_least(self) -> tuple[int, int] | None:
        """The (width, height) of a photo below which a reduced decode must not fall; None: in
        full."""
        return self.look.at_least(self.spec.preprocess.at_least())

    def prepare(self, image: DecodedImage) -> PreparedImage:
        """Resize, crop or pad one photo to the network's input."""
        return self.spec.preprocess.prepare(self.look.at(image))

    def embed(self, images: Sequence[PreparedImage]) -> Floats:
        """The pass: B photos -> (B, P, D') float32, all the network's features.

        What build, golden photos and service call; specs of one network share its answer.
        """
        return self.runtime.embed(np.stack([image.pixels for image in images]))

    def sample(self, features: Floats, photo: PreparedImage) -> Sample:
        """One photo's (P, D') features -> the cells that lie on it, of the dimensions selected.

        Raises:
            NonFiniteScore: NaN or infinity among them.
            BankError: dimensions are selected that the network does not have.
            UnsupportedImage: nothing of the photo is looked at.
        """
        rows, columns = photo.cells(self.grid)
        cells = features.reshape(*self.grid, -1)[rows, columns]
        if self._columns is not None:
            if self._columns.max() >= cells.shape[-1]:
                raise BankError(f"the network has {cells.shape[-1]} dimensions, not those selected")
            cells = cells[..., self._columns]
        if not np.isfinite(cells).all():
            raise NonFiniteScore("the network's features for this photo are not finite")
        content = photo.content_in(self.grid)
        cells = np.ascontiguousarray(cells)
        sample = Sample(cells, rows.start, columns.start, self.grid, content).seen_by(self.look)
        unmasked = photo.unmasked(self.grid)
        if unmasked is None:
            return sample
        if self.spec.pooling == "global_mean":
            raise UnsupportedImage(
                "the photo is seen under a mask, and this category's features are of all that is "
                "seen: take a bank with patches, or a crop alone"
            )
        return sample.under(unmasked)


def embedding_network(
    network: Callable[[torch.Tensor], Sequence[torch.Tensor]], spec: FeatureSpec
) -> EmbeddingNetwork:
    """The spec's pass around a network that answers feature maps."""
    return EmbeddingNetwork(
        network,
        mean=spec.preprocess.mean,
        std=spec.preprocess.std,
        grid=None if spec.pooling == "global_mean" else spec.grid,
        neighbourhood=spec.neighbourhood,
        unit_length=spec.unit_length,
    )

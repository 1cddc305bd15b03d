"""Vision transformers of DINOv2 (Oquab et al. 2023, arXiv 2304.07193), from timm.

Each layer is a block's patch tokens after the transformer's final norm, as a map; the class token
is left out. A photo's rim that fills no whole patch is cut off evenly on all sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import nn

from ...errors import WeightsMismatch
from ..backbone import IMAGENET_MEAN, IMAGENET_STD, Backbone, FeatureMaps, Layer, StateDict
from ..weight_sources import Hub

PATCH = 14
BLOCKS = 12


def rows() -> tuple[Backbone, ...]:
    # Commits of the repositories: what is downloaded never changes.
    return (
        _row("dinov2_vits14", "small", 384, 22.1, 88.2, "cace07adb9220de26eb51226ecbef6d04d35defe"),
        _row("dinov2_vitb14", "base", 768, 86.6, 346.3, "1dc7cda4727a9f4baa37f3ef407928dd642d0149"),
    )


def _row(
    name: str, size: str, width: int, parameters: float, megabytes: float, commit: str
) -> Backbone:
    model = f"vit_{size}_patch{PATCH}_dinov2"
    return Backbone(
        name=name,
        layers={f"blocks.{i}": Layer(width, PATCH, padded=False) for i in range(BLOCKS)},
        network=partial(_network, model),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        licence="Apache-2.0",
        source=f"timm {model}.lvd142m, trained on LVD-142M",
        parameters=parameters,
        megabytes=megabytes,
        weights=Hub(f"timm/{model}.lvd142m", commit),
        translate=fit_positions,
    )


class PatchTokens(FeatureMaps):
    """A transformer's patch tokens as maps; `body` is timm's, cut after the last block used."""

    def __init__(self, transformer: nn.Module, layers: Sequence[str], side: int) -> None:
        super().__init__(transformer, layers)
        self._side = side
        self._blocks = sorted({int(name.removeprefix("blocks.")) for name in layers})
        transformer.prune_intermediate_layers(self._blocks)  # type: ignore[operator]

    def maps(self, batch: torch.Tensor) -> Mapping[str, torch.Tensor]:
        top, left = ((size - self._side) // 2 for size in batch.shape[2:])
        found = self.body.forward_intermediates(  # type: ignore[operator]
            batch[:, :, top : top + self._side, left : left + self._side],
            indices=self._blocks,
            norm=True,
            intermediates_only=True,
        )
        return {f"blocks.{i}": m for i, m in zip(self._blocks, found, strict=True)}


def _network(name: str, layers: Sequence[str], input_size: int) -> FeatureMaps:
    import timm

    side = input_size // PATCH * PATCH
    return PatchTokens(timm.create_model(name, pretrained=False, img_size=side), layers, side)


def fit_positions(stored: StateDict, transformer: nn.Module) -> StateDict:
    """Resample the position embeddings, (1, 1 + n², D), to the network's grid, as timm does.

    Once, when the weights are loaded: every engine then computes with the same numbers.

    Raises:
        WeightsMismatch: of a transformer with registers, which would fit and be another network.
    """
    from timm.layers.pos_embed import resample_abs_pos_embed

    if stored.keys() & {"reg_token", "register_tokens"}:
        raise WeightsMismatch("these are weights of DINOv2 with registers: take those without")
    positions = stored.get("pos_embed")
    if positions is None or positions.ndim != 3:
        return stored
    tokens = positions.shape[1] - 1
    if tokens < 1 or math.isqrt(tokens) ** 2 != tokens:
        return stored  # the check of shapes refuses it
    grid = transformer.patch_embed.grid_size  # type: ignore[union-attr]
    return stored | {"pos_embed": resample_abs_pos_embed(positions, grid, num_prefix_tokens=1)}

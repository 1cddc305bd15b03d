"""No network at all: the photo as the preset prepares it, for methods that learn on pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..backbone import Backbone, FeatureMaps, Layer


def rows() -> tuple[Backbone, ...]:
    return (
        Backbone(
            name="pixels",
            layers={"pixels": Layer(channels=3, stride=1)},
            network=_network,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            licence="none needed",
            source="the prepared photo itself",
            parameters=0.0,
            megabytes=0.0,
            weights=None,
        ),
    )


class _Pixels(nn.Module):
    def forward(self, batch: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {"pixels": batch}


def _network(layers: Sequence[str], _input_size: int) -> FeatureMaps:
    return FeatureMaps(_Pixels(), layers)

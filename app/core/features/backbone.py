"""What a backbone is: a row of the table, its layers, and its network as maps by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .weight_sources import WeightsSource

StateDict = dict[str, torch.Tensor]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Layer:
    """A place in the network whose output can be a feature.

    Attributes:
        channels: of its map.
        stride: pixels from one place of the map to the next.
        padded: whether pixels at the rim that do not fill a stride make one more place, as
            convolutions with padding do; patches of a transformer leave them out.
    """

    channels: int
    stride: int
    padded: bool = True

    def side(self, input_size: int) -> int:
        """Places along one side of the map of a photo with sides of so many pixels."""
        return -(-input_size // self.stride) if self.padded else input_size // self.stride


class FeatureMaps(nn.Module):
    """`forward`: (B, 3, H, W) float32 -> one (B, C, h, w) per name in `layers`, in that order.

    Attributes:
        body: the network cut after the last layer used, its parameters named as its library
            names them; answers maps by the layers' names.
    """

    def __init__(self, body: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        self.body = body
        self.layers = tuple(layers)

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.maps(batch)
        return tuple(maps[name] for name in self.layers)

    def maps(self, batch: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """(B, 3, H, W) float32 -> (B, C, h, w) by the layers' names."""
        found: Mapping[str, torch.Tensor] = self.body(batch)
        return found


def as_published(stored: StateDict, _body: nn.Module) -> StateDict:
    """For files whose parameters are named and shaped as the network's."""
    return stored


@dataclass(frozen=True)
class Backbone:
    """One row of the table.

    Attributes:
        layers: by name, in the order in which a photo passes them.
        network: makes the untrained network up to the last of some layers, for photos of an input
            size.
        licence, source: of the weights, for people.
        parameters: of the whole published network, millions.
        megabytes: of the published weights file, millions of bytes.
        weights: where they are found; None: the backbone has none.
        translate: a published file's parameters -> those that the network's body asks for.
        bfloat16: whether a bank that was calibrated in float32 may be served in bfloat16 unasked
            where the processor can and its golden photos agree: for networks on which that was
            measured (`bench/precision.py`).
    """

    name: str
    layers: Mapping[str, Layer]
    network: Callable[[Sequence[str], int], FeatureMaps]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    source: str
    parameters: float
    megabytes: float
    weights: WeightsSource | None
    translate: Callable[[StateDict, nn.Module], StateDict] = as_published
    bfloat16: bool = False

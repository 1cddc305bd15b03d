"""Feature maps taken by hand: the reference for what a library cuts out of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import nn

from app.core.features.embedding import EmbeddingNetwork
from app.core.features.runtimes import choose_runtime
from app.core.features.runtimes.openvino_runtime import has_openvino
from tests.support import Floats

SIDE = 64
RUNTIMES = [
    "torch",
    pytest.param("openvino", marks=pytest.mark.skipif(not has_openvino(), reason="needs OpenVINO")),
]


class ByHand(nn.Module):
    """A network's children one after the other, those of `blocks` by themselves."""

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.layers = layers

    def steps(self) -> list[tuple[str, nn.Module]]:
        steps: list[tuple[str, nn.Module]] = []
        for name, child in self.model.named_children():
            stages = child.named_children() if name == "blocks" else ()
            steps += [(f"blocks.{index}", stage) for index, stage in stages] or [(name, child)]
        return steps

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found: dict[str, torch.Tensor] = {}
        for name, step in self.steps():
            batch = step(batch)
            found[name] = batch
            if found.keys() >= set(self.layers):
                break
        return tuple(found[name] for name in self.layers)


def embeddings(
    network: Callable[[torch.Tensor], Sequence[torch.Tensor]], runtime: str, side: int = SIDE
) -> Floats:
    """(3, P, D) of three photos in float32, on a grid of stride 8."""
    made = EmbeddingNetwork(
        network, mean=(0.5,) * 3, std=(0.25,) * 3, grid=(side // 8,) * 2, neighbourhood=3
    )
    pixels = np.random.default_rng(1).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    return choose_runtime(torch.device("cpu"), runtime, "float32")(made, side).embed(pixels)

"""The same forward pass on different engines. Each one takes a batch and answers feature maps."""

from __future__ import annotations

from typing import Protocol

import torch

from app.core.runtimes.torch_runtime import TorchRuntime, choose_device

__all__ = ["Runtime", "TorchRuntime", "choose_device"]


class Runtime(Protocol):
    """What the feature extractor asks of an engine."""

    name: str  # "torch", as manifests and /categories show it
    precision: str  # "float32", "float16" or "bfloat16"
    device: torch.device  # where `forward` wants its batch

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(B, 3, H, W) float32 on `device` -> one (B, C, h, w) float32 per layer, same device."""
        ...

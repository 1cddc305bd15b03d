"""The forward pass on PyTorch: CUDA with autocast, or the CPU in float32."""

from __future__ import annotations

import torch
from torch import nn

from app.core.errors import PresetError


def choose_device(wanted: str = "auto") -> torch.device:
    """`auto` takes the first CUDA device where there is one, else the CPU.

    Raises:
        PresetError: a CUDA device was asked for and there is none, or the name is unknown.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as exc:
        raise PresetError(f"unknown device {wanted!r}; there are auto, cpu, cuda, cuda:N") from exc
    if device.type not in ("cpu", "cuda"):
        raise PresetError(f"device {wanted!r} is not supported; there are auto, cpu, cuda, cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise PresetError(
            "no CUDA device was found: use --device cpu (or GOODSGUARD_DEVICE=cpu), or check the "
            "driver and that the installed torch is a CUDA build"
        )
    return device


class TorchRuntime:
    """Runs a frozen network on one torch device.

    On CUDA the weights lie channels-last and the forward runs under float16 autocast; features
    come back as float32 either way. On the CPU everything is float32.
    """

    name = "torch"

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.device = device
        self._autocast = device.type == "cuda"
        self.precision = "float16" if self._autocast else "float32"
        # channels_last is the layout that cuDNN's and oneDNN's convolutions want anyway
        self._network = network.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @torch.inference_mode()
    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.float16, enabled=self._autocast):
            maps = self._network(batch)
        return tuple(feature_map.float() for feature_map in maps)

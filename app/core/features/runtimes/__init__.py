"""The same pass on different engines: bytes in, embeddings out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch

from ...arrays import Floats, Pixels
from ...errors import PresetError
from ..embedding import EmbeddingNetwork
from .openvino_runtime import OpenVinoRuntime, has_bfloat16, has_openvino
from .torch_runtime import TorchRuntime, choose_device

__all__ = [
    "PRECISIONS",
    "RUNTIMES",
    "Engine",
    "MakeRuntime",
    "OpenVinoRuntime",
    "Runtime",
    "TorchRuntime",
    "choose_device",
    "choose_runtime",
    "fastest",
    "supports",
]

Engine = tuple[str, str]  # runtime, precision
RUNTIMES = ("openvino", "torch")
PRECISIONS = ("float32", "bfloat16", "float16")


class Runtime(Protocol):
    """What the feature extractor asks of an engine.

    Attributes:
        name, precision, device: as manifests and /categories show them.
        concurrent: whether several threads may embed at once with gain.
    """

    name: str
    precision: str
    device: torch.device
    concurrent: bool

    def embed(self, pixels: Pixels) -> Floats:
        """(B, H, W, 3) uint8 -> (B, P, D) float32."""
        ...


MakeRuntime = Callable[[EmbeddingNetwork, int], Runtime]


def supports(runtime: str, precision: str, device: torch.device) -> bool:
    """Whether this machine can run that combination."""
    if runtime == "openvino":
        fits = precision == "float32" or (precision == "bfloat16" and has_bfloat16())
        return device.type == "cpu" and has_openvino() and fits
    if device.type == "cuda":
        return runtime == "torch" and precision in PRECISIONS
    return runtime == "torch" and precision in ("float32", "bfloat16")


def choose_runtime(
    device: torch.device,
    runtime: str = "auto",
    precision: str = "auto",
    *,
    like: Engine | None = None,
) -> MakeRuntime:
    """What makes a runtime of a network and its input size.

    Left to itself: torch in float16 on CUDA; on a CPU OpenVINO in float32, which every machine
    computes alike, or torch where OpenVINO has no wheel.

    Args:
        like: what calibrated a bank: taken for what is `auto` if this machine can, or else its
            precision on another runtime, so that scores are those of the calibration.

    Raises:
        PresetError: the machine cannot run what was asked for.
    """
    for candidate in _candidates(device, like):
        name = candidate[0] if runtime == "auto" else runtime
        kind = candidate[1] if precision == "auto" else precision
        if supports(name, kind, device):
            return partial(_make, name, kind, device)
    raise PresetError(
        f"runtime {runtime!r} with precision {precision!r} does not run on {device.type} here; "
        f"there are {_known(device)}. Leave both at auto to take the first."
    )


def fastest(device: torch.device) -> Engine | None:
    """What computes fastest on this machine though not in float32; None where nothing does."""
    engine = ("torch", "float16") if device.type == "cuda" else ("openvino", "bfloat16")
    return engine if supports(*engine, device) else None


def _candidates(device: torch.device, like: Engine | None) -> list[Engine]:
    usual = [("openvino", "float32"), ("torch", "float32")]
    if device.type != "cuda":
        return ([like] if like else []) + usual
    return ([like, ("torch", like[1])] if like else []) + [("torch", "float16"), *usual]


def _known(device: torch.device) -> str:
    pairs = [(r, p) for r in RUNTIMES for p in PRECISIONS if supports(r, p, device)]
    return ", ".join(f"{runtime} {precision}" for runtime, precision in pairs)


def _make(
    name: str, precision: str, device: torch.device, network: EmbeddingNetwork, side: int
) -> Runtime:
    if name == "openvino":
        return OpenVinoRuntime(network, precision, side)
    return TorchRuntime(network, device, precision)

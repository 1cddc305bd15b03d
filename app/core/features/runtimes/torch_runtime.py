"""The pass on PyTorch: CUDA with autocast, or the CPU where OpenVINO is not to be had."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from ...errors import PresetError
from ..embedding import EmbeddingNetwork

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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

    The weights lie channels-last; below float32 the pass runs under autocast. Embeddings come back
    as float32 either way. One photo uses all the threads that torch has, so that a second one at
    the same time would only fight for them.
    """

    name = "torch"
    concurrent = False

    def __init__(
        self,
        network: EmbeddingNetwork,
        device: torch.device,
        precision: str = "float32",
    ) -> None:
        self.device = device
        self.precision = precision
        # channels_last is the layout that cuDNN's and oneDNN's convolutions want anyway
        self._network = network.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @torch.inference_mode()
    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(B, H, W, 3) uint8 -> (B, P, D) float32."""
        batch = torch.from_numpy(pixels)
        if self.device.type == "cuda":
            # Out of pinned memory the copy needs no detour, and does not hold up this thread.
            batch = batch.pin_memory().to(self.device, non_blocking=True)
        dtype = _DTYPES[self.precision]
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32):
            embedding = self._network(batch)
        return _on_host(embedding)


def _on_host(embedding: torch.Tensor) -> npt.NDArray[np.float32]:
    """As float32 in the host's memory.

    From a GPU into pinned memory, which torch keeps and lends again: into new memory of a batch of
    patches, 50 MB, the copy took 20 times as long as the network (see `bench/batch.py`).
    """
    if embedding.device.type != "cuda":
        return embedding.float().numpy()
    found = torch.empty(embedding.shape, dtype=torch.float32, pin_memory=True)
    return found.copy_(embedding).numpy()

"""A backbone alone: the convolutions up to the last layer used, and nothing around them.

What a whole pass costs beyond it is what normalising, pooling, and moving numbers cost. It is
compiled as `app.core.features.runtimes` compiles the pass, and gets ready-made float32 input; its
feature maps are left where the engine puts them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from app.core.features.backbones import get_backbone
from app.core.features.extractor import BATCH_SIZE, FeatureSpec
from app.core.features.runtimes.openvino_runtime import has_openvino
from app.core.features.weights import find_weights, load_network

CPU = torch.device("cpu")


class BareBackbone:
    """`one()` passes one photo with all threads, `many(n)` so many as fast as it goes."""

    def __init__(
        self,
        spec: FeatureSpec,
        weights: Path | None,
        runtime: str,
        precision: str,
        threads: int,
        device: torch.device = CPU,
        batch: int = BATCH_SIZE,
    ) -> None:
        backbone = get_backbone(spec.backbone)
        file = find_weights(backbone, weights, sha256=spec.weights_sha256 or None)
        side = spec.preprocess.input_size
        network = load_network(backbone, spec.layers, file, side)
        self._engine = (
            _OpenVino(network, precision, side, threads)
            if runtime == "openvino"
            else _Torch(network, precision, side, device, batch)
        )

    def one(self) -> None:
        self._engine.one()

    def many(self, count: int) -> None:
        self._engine.many(count)


class _OpenVino:
    def __init__(self, network: torch.nn.Module, precision: str, side: int, threads: int) -> None:
        assert has_openvino()  # and silenced
        import openvino

        self._input = torch.randn(1, 3, side, side).numpy()
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = openvino.convert_model(
                network, example_input=torch.from_numpy(self._input), input=[1, 3, side, side]
            )
        options = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        core, self._threads = openvino.Core(), threads
        alone = core.compile_model(model, "CPU", options | {"NUM_STREAMS": 1})
        self._request = alone.create_infer_request()
        together = core.compile_model(model, "CPU", options | {"NUM_STREAMS": threads})
        self._queue: Any = openvino.AsyncInferQueue(together, threads)

    def one(self) -> None:
        self._request.infer([self._input], share_inputs=True, share_outputs=True)

    def many(self, count: int) -> None:
        for _ in range(count):
            self._queue.start_async([self._input], share_inputs=True)
        self._queue.wait_all()


class _Torch:
    def __init__(
        self,
        network: torch.nn.Module,
        precision: str,
        side: int,
        device: torch.device,
        batch: int,
    ) -> None:
        self._network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._dtype = getattr(torch, precision)
        pixels = torch.randn(batch, 3, side, side, device=device)
        self._input = pixels.to(memory_format=torch.channels_last)

    def one(self) -> None:
        self._pass(self._input[:1])

    def many(self, count: int) -> None:
        batch = len(self._input)
        for first in range(0, count, batch):
            self._pass(self._input[: min(batch, count - first)])

    @torch.inference_mode()
    def _pass(self, batch: torch.Tensor) -> None:
        lower = self._dtype != torch.float32
        with torch.autocast(batch.device.type, dtype=self._dtype, enabled=lower):
            self._network(batch)
        if batch.device.type == "cuda":
            torch.cuda.synchronize(batch.device)  # it has only been asked for until then

"""The pass on OpenVINO: CPUs, in float32 or bfloat16."""

from __future__ import annotations

import sys
import threading
import warnings
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...threads import thread_budget
from ..embedding import EmbeddingNetwork

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


@cache
def has_openvino() -> bool:
    """Whether OpenVINO can be imported: it has no wheels for some platforms."""
    # Importing OpenVINO reports that to its makers over the network and writes to the home folder,
    # unless its reporter cannot be imported; a service in a store must not call home.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino  # noqa: F401
    except ImportError:
        return False
    return True


@cache
def has_bfloat16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this CPU (AVX-512 BF16 or AMX)."""
    if not has_openvino():
        return False
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoRuntime:
    """Runs a frozen network on the CPU, one photo per inference.

    It is compiled twice from the same weights: once so that one photo gets all threads, for when
    it is alone, and once so that each thread takes a photo of its own, for when there are more:
    two photos on a thread each are done sooner than two in turn on both.
    """

    name = "openvino"
    device = torch.device("cpu")
    concurrent = True

    def __init__(self, network: EmbeddingNetwork, precision: str, side: int) -> None:
        """Takes the network, and the height and width of the pixels it will get."""
        self.precision = precision
        self._threads = thread_budget()
        core = _core()
        model = _convert(network, side)
        options = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": self._threads,
            # Pinning to the first cores is for machines of one's own, not beside a camera system.
            "ENABLE_CPU_PINNING": False,
        }
        self._alone = core.compile_model(model, "CPU", options | {"NUM_STREAMS": 1})
        self._together = (
            self._alone
            if self._threads == 1
            else core.compile_model(model, "CPU", options | {"NUM_STREAMS": self._threads})
        )
        self._shape = tuple(self._alone.output(0).shape)
        self._local = threading.local()

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(B, H, W, 3) uint8 -> (B, P, D) float32."""
        if len(pixels) == 1:
            from openvino import Tensor

            request = self._request(alone=thread_budget() > 1)
            # A photo's own memory, written in place: the request's would have to be copied.
            found = np.empty(self._shape, dtype=np.float32)
            request.set_output_tensor(0, Tensor(found, shared_memory=True))
            request.infer([pixels], share_inputs=True, share_outputs=True)
            return found
        return self._embed_many(pixels)

    def _embed_many(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        from openvino import AsyncInferQueue

        found: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32)] * len(pixels)

        def keep(request: Any, index: int) -> None:
            found[index] = np.array(request.get_output_tensor(0).data)

        queue = AsyncInferQueue(self._together, min(self._threads, len(pixels)))
        queue.set_callback(keep)
        for index in range(len(pixels)):
            queue.start_async([pixels[index : index + 1]], userdata=index)
        queue.wait_all()
        return np.concatenate(found)

    def _request(self, *, alone: bool) -> Any:
        """This thread's own inference request."""
        name = "alone" if alone else "together"
        if not hasattr(self._local, name):
            compiled = self._alone if alone else self._together
            setattr(self._local, name, compiled.create_infer_request())
        return getattr(self._local, name)


@cache
def _core() -> Any:
    assert has_openvino()  # and silenced
    from openvino import Core

    return Core()


def _convert(network: EmbeddingNetwork, side: int) -> Any:
    """The traced network as an OpenVINO model of (1, side, side, 3) uint8."""
    from openvino import PartialShape
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    with torch.inference_mode(), warnings.catch_warnings():
        # Python values that the trace freezes (the grid) are constants here, on purpose.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network.eval(), example, check_trace=False)  # type: ignore[no-untyped-call]
        frontend = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(traced)  # named: it must outlive the conversion
        model = frontend.convert(frontend.load(decoder))
    model.reshape({0: PartialShape([1, side, side, 3])})
    return model

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from app.core.errors import PresetError
from app.core.features.embedding import EmbeddingNetwork
from app.core.features.runtimes import (
    PRECISIONS,
    OpenVinoRuntime,
    Runtime,
    TorchRuntime,
    choose_device,
    choose_runtime,
    fastest,
    supports,
)
from app.core.features.runtimes.openvino_runtime import has_bfloat16, has_openvino
from app.core.threads import limited_to
from tests.support import ROOT, Pixels

CPU = torch.device("cpu")
SIDE = 32
needs_openvino = pytest.mark.skipif(not has_openvino(), reason="needs OpenVINO")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
ON_CPU = [
    pytest.param("openvino", "float32", marks=needs_openvino),
    pytest.param(
        "openvino",
        "bfloat16",
        marks=pytest.mark.skipif(not has_bfloat16(), reason="the CPU has no bfloat16"),
    ),
    ("torch", "bfloat16"),
    ("torch", "float32"),
]


class TwoLayers(nn.Module):
    """Strides 2 and 4."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.second = nn.Conv2d(8, 4, 3, stride=2, padding=1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        first = torch.relu(self.first(batch))
        return first, torch.relu(self.second(first))


def network(grid: tuple[int, int] | None = (16, 16)) -> EmbeddingNetwork:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    side = 1 if grid is None else 3
    made = EmbeddingNetwork(TwoLayers(), mean=mean, std=std, grid=grid, neighbourhood=side)
    return made.requires_grad_(False)


def pictures(count: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def make(runtime: str, precision: str, grid: tuple[int, int] | None = (16, 16)) -> Runtime:
    return choose_runtime(CPU, runtime, precision)(network(grid), SIDE)


def test_cpu_is_always_there() -> None:
    assert choose_device("cpu").type == "cpu"


def test_auto_takes_cuda_where_there_is_one() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("wanted", ["cuda", "cuda:0"])
def test_cuda_that_is_not_there_names_the_way_out(wanted: str) -> None:
    with pytest.raises(PresetError, match="GOODSGUARD_DEVICE=cpu"):
        choose_device(wanted)


@pytest.mark.parametrize("wanted", ["", "gpu", "meta", "mps", "cuda:x"])
def test_an_unknown_device_is_answered_with_those_there_are(wanted: str) -> None:
    with pytest.raises(PresetError, match="there are auto, cpu, cuda"):
        choose_device(wanted)


@pytest.mark.parametrize("grid", [None, (16, 16)])
@pytest.mark.parametrize(("runtime", "precision"), ON_CPU)
def test_every_engine_answers_what_torch_in_float32_does(
    runtime: str, precision: str, grid: tuple[int, int] | None
) -> None:
    found = make(runtime, precision, grid).embed(pictures(3))
    expected = make("torch", "float32", grid).embed(pictures(3))
    assert found.shape == (3, 1 if grid is None else 256, 12)
    assert found.dtype == np.float32
    tolerance = 1e-5 if precision == "float32" else 0.03  # bfloat16 keeps 8 bits
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize(("runtime", "precision"), ON_CPU)
@settings(max_examples=10, deadline=None)
@given(count=st.integers(1, 7), seed=st.integers(0, 99))
def test_a_batch_equals_its_photos_one_by_one(
    runtime: str, precision: str, count: int, seed: int
) -> None:
    engine, pixels = make(runtime, precision), pictures(count, seed)
    alone = np.concatenate([engine.embed(pixels[i : i + 1]) for i in range(count)])
    np.testing.assert_allclose(engine.embed(pixels), alone, atol=1e-4)


@needs_openvino
def test_one_thread_and_all_of_them_answer_the_same() -> None:
    engine = make("openvino", "float32")
    together = engine.embed(pictures(1))
    with limited_to(1):
        np.testing.assert_allclose(engine.embed(pictures(1)), together, atol=1e-5)


@needs_openvino
def test_an_answer_is_the_callers_own() -> None:
    engine = make("openvino", "float32")
    first = engine.embed(pictures(1, seed=1))
    kept = first.copy()
    engine.embed(pictures(1, seed=2))
    np.testing.assert_array_equal(first, kept)


@needs_openvino
def test_openvino_does_not_report_its_use(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from app.core.features.runtimes.openvino_runtime import has_openvino\n"
        "assert has_openvino()\n"
        "assert not [m for m in sys.modules if m.startswith('openvino_telemetry.')]\n"
    )
    environment = os.environ | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)
    assert list(tmp_path.iterdir()) == []


@needs_openvino
def test_left_to_itself_a_cpu_takes_openvino_in_the_precision_that_all_machines_have() -> None:
    made = choose_runtime(CPU)(network(), SIDE)
    assert isinstance(made, OpenVinoRuntime)
    assert made.precision == "float32"


def test_the_fastest_of_a_cpu_is_bfloat16_where_it_computes_in_it() -> None:
    assert fastest(CPU) == (("openvino", "bfloat16") if has_bfloat16() else None)


def test_the_fastest_of_a_gpu_is_float16() -> None:
    assert fastest(torch.device("cuda")) == ("torch", "float16")


@pytest.mark.parametrize(
    ("like", "taken"),
    [
        (None, ("torch", "float16")),
        (("openvino", "float32"), ("torch", "float32")),
        (("openvino", "bfloat16"), ("torch", "bfloat16")),
        (("torch", "float16"), ("torch", "float16")),
    ],
)
def test_a_gpu_keeps_the_precision_that_calibrated_a_bank(
    like: tuple[str, str] | None, taken: tuple[str, str]
) -> None:
    made = choose_runtime(torch.device("cuda"), like=like)
    assert isinstance(made, partial)
    assert made.args[:2] == taken


@pytest.mark.parametrize(("runtime", "precision"), ON_CPU)
def test_what_calibrated_a_bank_is_taken_where_the_machine_can(
    runtime: str, precision: str
) -> None:
    made = choose_runtime(CPU, like=(runtime, precision))(network(), SIDE)
    assert (made.name, made.precision) == (runtime, precision)


def test_what_calibrated_a_bank_is_passed_over_where_it_cannot_run() -> None:
    made = choose_runtime(CPU, like=("torch", "float16"))(network(), SIDE)
    assert made.precision != "float16"


def test_what_is_asked_for_goes_before_what_calibrated_the_bank() -> None:
    made = choose_runtime(CPU, "torch", "float32", like=("openvino", "bfloat16"))(network(), SIDE)
    assert isinstance(made, TorchRuntime)
    assert made.precision == "float32"


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [("openvino", "float16"), ("torch", "float16"), ("tensorrt", "auto"), ("auto", "int8")],
)
def test_what_cannot_run_is_answered_with_what_can(runtime: str, precision: str) -> None:
    with pytest.raises(PresetError, match="torch float32"):
        choose_runtime(CPU, runtime, precision)


def test_openvino_is_for_cpus() -> None:
    cuda = torch.device("cuda")
    assert not any(supports("openvino", precision, cuda) for precision in PRECISIONS)
    assert all(supports("torch", precision, cuda) for precision in PRECISIONS)


@needs_cuda
def test_cuda_is_near_the_cpu() -> None:
    cuda = choose_runtime(torch.device("cuda"))(network(), SIDE)
    assert (cuda.name, cuda.precision) == ("torch", "float16")
    expected = make("torch", "float32").embed(pictures(4))
    np.testing.assert_allclose(cuda.embed(pictures(4)), expected, atol=0.01 * expected.max())


@needs_openvino
@pytest.mark.skipif(not has_bfloat16(), reason="the CPU has no bfloat16")
def test_a_precision_that_is_asked_for_is_taken() -> None:
    made = choose_runtime(CPU, precision="bfloat16")(network(), SIDE)
    assert (made.name, made.precision) == ("openvino", "bfloat16")

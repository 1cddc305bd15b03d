"""Torchvision's ResNets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..backbone import IMAGENET_MEAN, IMAGENET_STD, Backbone, FeatureMaps, Layer
from ..weight_sources import Torchvision

_BASIC, _BOTTLENECK = (64, 128, 256, 512), (256, 512, 1024, 2048)


def rows() -> tuple[Backbone, ...]:
    return (
        _row("resnet18", "ResNet18_Weights.IMAGENET1K_V1", _BASIC, 11.7, 46.8),
        _row("resnet34", "ResNet34_Weights.IMAGENET1K_V1", _BASIC, 21.8, 87.3),
        _row("resnet50", "ResNet50_Weights.IMAGENET1K_V2", _BOTTLENECK, 25.6, 102.5),
        _row("wide_resnet50_2", "Wide_ResNet50_2_Weights.IMAGENET1K_V2", _BOTTLENECK, 68.9, 275.9),
    )


def _row(
    name: str,
    weights: str,
    widths: tuple[int, int, int, int],
    parameters: float,
    megabytes: float,
) -> Backbone:
    return Backbone(
        name=name,
        layers={
            f"layer{i + 1}": Layer(channels=width, stride=4 * 2**i)
            for i, width in enumerate(widths)
        },
        network=partial(_network, name),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        licence="BSD-3-Clause",
        source=f"torchvision {weights}, trained on ImageNet-1k",
        parameters=parameters,
        megabytes=megabytes,
        weights=Torchvision(weights),
        bfloat16=name == "resnet18",
    )


def _network(name: str, layers: Sequence[str], _input_size: int) -> FeatureMaps:
    from torchvision import models
    from torchvision.models.feature_extraction import create_feature_extractor

    model = getattr(models, name)(weights=None)
    return FeatureMaps(create_feature_extractor(model.eval(), list(layers)), layers)

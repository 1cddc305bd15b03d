from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from app.core.features.backbones import BACKBONES
from app.core.features.weight_sources import Torchvision, file_sha256
from app.core.features.weights import WeightsFile, load_network
from tests.unit.core.features.by_hand import RUNTIMES, SIDE, ByHand, embeddings

RESNETS = [
    "resnet18",
    "resnet34",
    pytest.param("resnet50", marks=pytest.mark.slow),
    pytest.param("wide_resnet50_2", marks=pytest.mark.slow),
]
LAYERS = ["layer1", "layer2", "layer3", "layer4"]


def random_weights(name: str, folder: Path) -> WeightsFile:
    torch.manual_seed(7)
    path = folder / f"{name}.pth"
    torch.save(getattr(torchvision.models, name)(weights=None).state_dict(), path)
    return WeightsFile(path, file_sha256(path))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", RESNETS)
@pytest.mark.parametrize("layers", [["layer2", "layer3"], ["layer4", "layer1"]])
def test_the_features_are_those_of_torchvisions_network_to_the_bit(
    name: str, layers: list[str], runtime: str, tmp_path: Path
) -> None:
    weights = random_weights(name, tmp_path)
    whole = getattr(torchvision.models, name)(weights=None)
    whole.load_state_dict(torch.load(weights.path, weights_only=True))
    found = embeddings(load_network(BACKBONES[name], layers, weights, SIDE), runtime)
    np.testing.assert_array_equal(found, embeddings(ByHand(whole, layers), runtime))


@pytest.mark.parametrize("name", RESNETS)
def test_the_layers_have_the_channels_and_strides_of_the_table(name: str, tmp_path: Path) -> None:
    network = load_network(BACKBONES[name], LAYERS, random_weights(name, tmp_path), SIDE)
    for layer, feature_map in zip(LAYERS, network(torch.rand(2, 3, 64, 64)), strict=True):
        known = BACKBONES[name].layers[layer]
        assert feature_map.shape == (2, known.channels, *(known.side(64),) * 2)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "wide_resnet50_2"])
def test_the_table_says_what_torchvision_says_of_its_file(name: str) -> None:
    backbone = BACKBONES[name]
    assert isinstance(backbone.weights, Torchvision)
    published = torchvision.models.get_weight(backbone.weights.weights).meta
    assert backbone.parameters == pytest.approx(published["num_params"] / 1e6, abs=0.05)
    # torchvision counts in 2²⁰ bytes
    assert backbone.megabytes == pytest.approx(published["_file_size"] * 1.048576, abs=0.06)

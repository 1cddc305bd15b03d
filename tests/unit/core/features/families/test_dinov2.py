"""DINOv2's transformers with random weights: the published ones are not at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import checkpoint_filter_fn

from app.core.errors import WeightsMismatch
from app.core.features.backbone import StateDict
from app.core.features.backbones import BACKBONES
from app.core.features.embedding import EmbeddingNetwork
from app.core.features.runtimes import choose_runtime
from app.core.features.runtimes.openvino_runtime import has_openvino
from app.core.features.weight_sources import file_sha256
from app.core.features.weights import WeightsFile, load_network
from tests.support import Floats

MODEL = "vit_small_patch14_dinov2"
SMALL = BACKBONES["dinov2_vits14"]
SIDE = 98  # seven patches


def random_state() -> StateDict:
    """Random weights whose blocks and positions matter, as they do in trained ones.

    timm starts with blocks that add a hundred-thousandth of what they compute, and positions that
    are nearly 0.
    """
    torch.manual_seed(7)
    state: StateDict = timm.create_model(MODEL, pretrained=False).state_dict()
    for name, tensor in state.items():
        if name.endswith("gamma"):
            state[name] = torch.rand_like(tensor)
    state["pos_embed"] = torch.randn_like(state["pos_embed"]) / 5
    return state


@pytest.fixture(scope="module")
def state() -> StateDict:
    return random_state()


@pytest.fixture(scope="module")
def weights(state: StateDict, tmp_path_factory: pytest.TempPathFactory) -> WeightsFile:
    return written(state, tmp_path_factory.mktemp("dinov2"))


def written(state: StateDict, folder: Path) -> WeightsFile:
    path = folder / "dinov2_vits14.safetensors"
    save_file(state, path)
    return WeightsFile(path, file_sha256(path))


def photos(side: int = SIDE) -> torch.Tensor:
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_a_map_holds_timms_patch_tokens_after_the_final_norm(
    state: StateDict, weights: WeightsFile
) -> None:
    whole: Any = timm.create_model(MODEL, pretrained=False, img_size=SIDE).eval()
    whole.load_state_dict(checkpoint_filter_fn(dict(state), whole))
    (found,) = load_network(SMALL, ["blocks.11"], weights, SIDE)(photos())
    with torch.no_grad():
        tokens = whole.forward_features(photos())
    assert found.shape == (2, 384, 7, 7)
    assert torch.equal(found.flatten(2).transpose(1, 2), tokens[:, 1:])


def test_layers_come_in_the_order_asked_for(weights: WeightsFile) -> None:
    first, second = load_network(SMALL, ["blocks.2", "blocks.0"], weights, SIDE)(photos())
    (alone,) = load_network(SMALL, ["blocks.2"], weights, SIDE)(photos())
    assert torch.equal(first, alone)
    assert not torch.equal(first, second)


def test_blocks_beyond_the_last_layer_are_absent_and_may_lack_in_the_file(
    state: StateDict, tmp_path: Path
) -> None:
    kept = {n: t for n, t in state.items() if not n.startswith(("blocks.2", "blocks.1"))}
    network = load_network(SMALL, ["blocks.0"], written(kept, tmp_path), SIDE)
    assert {n.split(".")[1] for n in network.body.state_dict() if n.startswith("blocks")} == {"0"}
    with pytest.raises(WeightsMismatch, match=r"blocks\.1\.norm1\.weight"):
        load_network(SMALL, ["blocks.1"], written(kept, tmp_path), SIDE)


@pytest.mark.parametrize(("side", "margin"), [(99, 0), (100, 1), (111, 6)])
def test_a_rim_that_fills_no_patch_is_cut_off_evenly(
    side: int, margin: int, weights: WeightsFile
) -> None:
    (found,) = load_network(SMALL, ["blocks.0"], weights, side)(photos(side))
    inner = photos(side)[:, :, margin : margin + SIDE, margin : margin + SIDE]
    (expected,) = load_network(SMALL, ["blocks.0"], weights, SIDE)(inner)
    assert found.shape[2:] == (7, 7) == (SMALL.layers["blocks.0"].side(side),) * 2
    assert torch.equal(found, expected)


def test_position_embeddings_of_the_files_own_size_stay_as_they_are(
    state: StateDict, weights: WeightsFile
) -> None:
    network = load_network(SMALL, ["blocks.0"], weights, 518)
    assert torch.equal(network.body.state_dict()["pos_embed"], state["pos_embed"])


def test_position_embeddings_are_resampled_and_the_class_tokens_kept(
    state: StateDict, weights: WeightsFile
) -> None:
    found = load_network(SMALL, ["blocks.0"], weights, 448).body.state_dict()["pos_embed"]
    assert found.shape == (1, 1 + 32 * 32, 384)
    assert torch.equal(found[:, 0], state["pos_embed"][:, 0])


def test_the_original_files_token_for_masks_is_passed_over(
    state: StateDict, tmp_path: Path
) -> None:
    file = written(state | {"mask_token": torch.zeros(1, 384)}, tmp_path)
    assert load_network(SMALL, ["blocks.0"], file, SIDE).layers == ("blocks.0",)


def test_weights_with_registers_are_refused(state: StateDict, tmp_path: Path) -> None:
    file = written(state | {"register_tokens": torch.zeros(1, 4, 384)}, tmp_path)
    with pytest.raises(WeightsMismatch, match="with registers"):
        load_network(SMALL, ["blocks.0"], file, SIDE)


@pytest.mark.parametrize("positions", [(1, 50, 768), (1, 51, 384), (1370, 384), (1, 1, 384)])
def test_position_embeddings_of_another_network_are_refused_by_shape(
    positions: tuple[int, ...], state: StateDict, tmp_path: Path
) -> None:
    file = written(state | {"pos_embed": torch.zeros(positions)}, tmp_path)
    with pytest.raises(WeightsMismatch, match="pos_embed has shape"):
        load_network(SMALL, ["blocks.0"], file, SIDE)


@pytest.mark.skipif(not has_openvino(), reason="needs OpenVINO")
@pytest.mark.parametrize("unit_length", [False, True])
def test_openvino_answers_what_torch_does(unit_length: bool, weights: WeightsFile) -> None:
    def embed(runtime: str) -> Floats:
        made = EmbeddingNetwork(
            load_network(SMALL, ["blocks.5", "blocks.11"], weights, SIDE),
            mean=SMALL.mean,
            std=SMALL.std,
            grid=(7, 7),
            unit_length=unit_length,
        )
        pixels = np.random.default_rng(2).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
        return choose_runtime(torch.device("cpu"), runtime, "float32")(made, SIDE).embed(pixels)

    found, expected = embed("openvino"), embed("torch")
    assert found.shape == (2, 49, 768)
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["dinov2_vits14", "dinov2_vitb14"])
def test_the_table_counts_what_timm_builds(name: str) -> None:
    backbone = BACKBONES[name]
    with torch.device("meta"):
        network = backbone.network(list(backbone.layers), 518)
    count = sum(p.numel() for p in network.parameters()) / 1e6
    assert backbone.parameters == pytest.approx(count, abs=0.05)
    assert backbone.megabytes == pytest.approx(4 * count, abs=0.1)
    assert {layer.channels for layer in backbone.layers.values()} == {network.body.embed_dim}
    assert len(backbone.layers) == len(network.body.blocks)  # type: ignore[arg-type]

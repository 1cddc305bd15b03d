from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from app.core.errors import PresetError, WeightsMismatch, WeightsNotFound
from app.core.features.backbone import Backbone
from app.core.features.backbones import BACKBONES, get_backbone
from app.core.features.weight_sources import Torchvision, file_sha256
from app.core.features.weights import WeightsFile, find_weights, load_network, read_state_dict
from tests.support import ROOT, SHARED

FOLDED = SHARED / "weights" / "resnet18_imagenet1k_v1_folded_to_layer3.safetensors"
needs_folded = pytest.mark.skipif(not FOLDED.is_file(), reason="the folded ResNet18 is not here")
LITE0 = get_backbone("efficientnet_lite0")


@pytest.fixture
def torch_home(tmp_path: Path) -> Iterator[Path]:
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path / "hub"))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    yield tmp_path / "hub" / "checkpoints"
    torch.hub.set_dir(before)


def file_name(name: str) -> str:
    """The name under which torchvision stores its default weights of a network."""
    source = BACKBONES[name].weights
    assert isinstance(source, Torchvision)
    url: str = torchvision.models.get_weight(source.weights).url
    return url.rsplit("/", 1)[1]


def random_state(name: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    state: dict[str, torch.Tensor] = getattr(torchvision.models, name)(weights=None).state_dict()
    return state


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> WeightsFile:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(random_state("resnet18"), path)
    return as_file(path)


def as_file(path: Path) -> WeightsFile:
    return WeightsFile(path, file_sha256(path))


@pytest.mark.parametrize("name", ["resnet18", "wide_resnet50_2"])
def test_torchvisions_cache_is_looked_at(name: str, torch_home: Path) -> None:
    path = torch_home / file_name(name)
    path.write_bytes(b"weights")
    assert find_weights(BACKBONES[name]).path == path


def test_a_safetensors_file_is_as_good_as_torchs(tmp_path: Path, resnet18: WeightsFile) -> None:
    save_file(read_state_dict(resnet18.path), tmp_path / "a.safetensors")
    batch = torch.rand(1, 3, 64, 64)
    first, second = (
        load_network(BACKBONES["resnet18"], ["layer4"], weights, 64)(batch)[0]
        for weights in (resnet18, as_file(tmp_path / "a.safetensors"))
    )
    torch.testing.assert_close(first, second, atol=0, rtol=0)


def test_a_checkpoint_around_a_state_dict_is_unwrapped(tmp_path: Path) -> None:
    torch.save({"state_dict": {"x": torch.ones(2)}}, tmp_path / "a.pth")
    assert list(read_state_dict(tmp_path / "a.pth")) == ["x"]


def test_older_files_without_step_counters_are_taken(tmp_path: Path, resnet18: WeightsFile) -> None:
    state = {n: t for n, t in read_state_dict(resnet18.path).items() if "num_batches" not in n}
    torch.save(state, tmp_path / "a.pth")
    network = load_network(BACKBONES["resnet18"], ["layer4"], as_file(tmp_path / "a.pth"), 64)
    assert network.layers == ("layer4",)


@pytest.mark.parametrize(
    ("name", "layers", "absent"),
    [
        ("resnet18", ["layer2", "layer3"], ("layer4", "fc", "avgpool")),
        ("resnet18", ["layer1"], ("layer2", "layer3", "layer4", "fc")),
        ("efficientnet_lite0", ["blocks.2"], ("blocks.3", "conv_head", "bn2", "classifier")),
        ("efficientnet_lite0", ["head"], ("classifier", "global_pool")),
    ],
)
def test_parameters_beyond_the_last_layer_are_absent(
    name: str, layers: list[str], absent: tuple[str, ...], resnet18: WeightsFile
) -> None:
    weights = resnet18 if name == "resnet18" else find_weights(LITE0)
    names = list(load_network(BACKBONES[name], layers, weights, 64).body.state_dict())
    assert names
    assert [n for n in names if n.startswith(absent)] == []


def test_layers_come_in_the_order_asked_for(resnet18: WeightsFile) -> None:
    network = load_network(BACKBONES["resnet18"], ["layer3", "layer1"], resnet18, 64)
    assert [m.shape[1] for m in network(torch.rand(1, 3, 64, 64))] == [256, 64]


def test_the_network_is_frozen(resnet18: WeightsFile) -> None:
    network = load_network(BACKBONES["resnet18"], ["layer2"], resnet18, 64)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("layers", [["layer5"], ["fc"], [], ["layer1", "head"]])
def test_a_layer_that_is_not_there_is_answered_with_those_there_are(
    layers: list[str], tmp_path: Path
) -> None:
    with pytest.raises(PresetError, match="layer1, layer2, layer3, layer4"):
        load_network(
            BACKBONES["resnet18"], layers, WeightsFile(tmp_path / "never-read.pth", ""), 64
        )


def test_an_unknown_backbone_is_answered_with_those_there_are() -> None:
    with pytest.raises(PresetError, match=r"resnet18.*efficientnet_lite0.*dinov2_vits14.*pixels"):
        get_backbone("vgg16")


@needs_folded
def test_the_folded_resnet18_serves_its_middle_layers() -> None:
    network = load_network(BACKBONES["resnet18"], ["layer2", "layer3"], as_file(FOLDED), 64)
    shapes = [tuple(m.shape) for m in network(torch.rand(1, 3, 64, 64))]
    assert shapes == [(1, 128, 8, 8), (1, 256, 4, 4)]


@needs_folded
def test_the_folded_resnet18_tells_pictures_apart() -> None:
    network = load_network(BACKBONES["resnet18"], ["layer3"], as_file(FOLDED), 64)
    (maps,) = network(torch.stack([torch.zeros(3, 64, 64), torch.rand(3, 64, 64)]))
    assert torch.isfinite(maps).all()
    assert (maps[0] - maps[1]).norm() > 1


@needs_folded
def test_the_folded_resnet18_is_refused_for_its_last_layer_by_name() -> None:
    with pytest.raises(WeightsMismatch, match=r"layer4\.0\.conv1\.weight"):
        load_network(BACKBONES["resnet18"], ["layer4"], as_file(FOLDED), 64)


@needs_folded
def test_a_folder_is_searched_by_the_backbones_name() -> None:
    assert find_weights(BACKBONES["resnet18"], FOLDED.parent).path == FOLDED


def test_another_networks_file_is_refused_by_shape(tmp_path: Path, resnet18: WeightsFile) -> None:
    state = read_state_dict(resnet18.path)
    state["layer1.0.conv1.weight"] = torch.zeros(64, 32, 3, 3)
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(WeightsMismatch, match=r"layer1\.0\.conv1\.weight has shape"):
        load_network(BACKBONES["resnet18"], ["layer1"], as_file(tmp_path / "a.pth"), 64)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.ones(3), {"state_dict": {"a": "b"}}])
def test_what_is_no_state_dict_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsMismatch, match=r"a\.pth is not a state dict"):
        read_state_dict(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04", b"\x80\x02K\x01."])
def test_junk_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsMismatch, match=name):
        read_state_dict(tmp_path / name)


class Evil:
    """Unpickled by plain pickle, this makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("save", ["torch", "pickle"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(
    save: str, tmp_path: Path
) -> None:
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    if save == "torch":
        torch.save({"conv1.weight": Evil(trace)}, path)
    else:
        path.write_bytes(pickle.dumps({"conv1.weight": Evil(trace)}))
    with pytest.raises(WeightsMismatch, match="read safely"):
        read_state_dict(path)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Evil(trace)))  # it would have
    assert trace.exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound, match="no weights file"):
        read_state_dict(tmp_path / "absent.pth")
    with pytest.raises(WeightsNotFound, match="no weights file or folder"):
        find_weights(LITE0, tmp_path / "absent")


def test_an_explicit_file_goes_before_the_package(tmp_path: Path) -> None:
    path = tmp_path / "any-name.pth"
    torch.save({"x": torch.ones(1)}, path)
    assert find_weights(LITE0, path).path == path


def test_a_folder_without_the_backbones_name_is_not_guessed_in(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsNotFound, match="starts with resnet18"):
        find_weights(BACKBONES["resnet18"], tmp_path)


def test_a_folder_is_searched_by_hash_whatever_the_names(tmp_path: Path) -> None:
    for index in range(3):
        torch.save({"x": torch.full((1,), float(index))}, tmp_path / f"{index}.pth")
    wanted = file_sha256(tmp_path / "1.pth")
    found = find_weights(BACKBONES["resnet18"], tmp_path, sha256=wanted)
    assert (found.path.name, found.sha256) == ("1.pth", wanted)


def test_a_folder_may_hold_folders(tmp_path: Path) -> None:
    (tmp_path / "resnet18.pth").mkdir()
    torch.save({"x": torch.ones(1)}, tmp_path / "resnet18_mine.pth")
    assert find_weights(BACKBONES["resnet18"], tmp_path).path.name == "resnet18_mine.pth"


def test_what_a_folder_lacks_is_found_in_the_package(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(1)}, tmp_path / "resnet18_mine.pth")
    assert find_weights(LITE0, tmp_path) == find_weights(LITE0)


def test_what_a_folder_lacks_is_found_in_the_cache(tmp_path: Path, torch_home: Path) -> None:
    cached = torch_home / file_name("resnet18")
    torch.save({"x": torch.ones(1)}, cached)
    (tmp_path / "weights").mkdir()
    assert find_weights(BACKBONES["resnet18"], tmp_path / "weights").path == cached


def test_the_package_is_found_by_hash_beside_a_folder_without_it(tmp_path: Path) -> None:
    package = find_weights(LITE0)
    assert find_weights(LITE0, tmp_path, sha256=package.sha256) == package


def test_a_hash_that_no_file_has_is_an_error_that_names_what_was_seen(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    torch.save({"x": torch.ones(1)}, path)
    with pytest.raises(WeightsNotFound, match=r"ffffffffffff.*found only mine\.pth"):
        find_weights(LITE0, path, sha256="f" * 64)


def test_a_changed_file_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before = file_sha256(path)
    path.write_bytes(b"three")
    assert file_sha256(path) != before


@pytest.mark.parametrize("row", BACKBONES.values(), ids=lambda row: row.name)
def test_the_readme_lists_every_backbone_as_the_table_does(row: Backbone) -> None:
    size = f"{row.parameters} M | {row.megabytes} MB" if row.weights else "none | none"
    line = f"| `{row.name}` | {size} | {row.licence} | {row.source} |"
    assert line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

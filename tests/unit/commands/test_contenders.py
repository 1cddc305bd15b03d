from __future__ import annotations

from pathlib import Path

import pytest

from app.commands.contenders import load_contender, load_presets, weights_for
from app.core.building.preset import load_preset
from app.core.errors import PresetError


def test_presets_come_in_the_order_given() -> None:
    assert [p.name for p in load_presets(["patch", "embedded-knn"])] == ["patch", "embedded-knn"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["patch"], "two presets or more"),
        (["patch", "patch", "gaussian"], "patch is given more than once"),
        (["patch", "best-knn"], "unknown preset"),
    ],
)
def test_presets_that_cannot_be_compared_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(PresetError, match=words):
        load_presets(names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("resnet18-f37072fd.pth", "wide_resnet50_2_mine.safetensors", "mine.pth"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_is_for_all_backbones(folder: Path) -> None:
    """What it lacks is looked for elsewhere by whoever loads the weights."""
    assert weights_for("efficientnet_lite0", folder) == folder


@pytest.mark.parametrize(
    ("file", "backbone", "there"),
    [
        ("resnet18-f37072fd.pth", "resnet18", True),
        ("resnet18-f37072fd.pth", "efficientnet_lite0", False),
        ("wide_resnet50_2_mine.safetensors", "resnet50", False),
        ("mine.pth", "resnet50", True),
    ],
)
def test_a_file_is_not_for_a_backbone_that_it_is_not_named_for(
    folder: Path, file: str, backbone: str, there: bool
) -> None:
    assert weights_for(backbone, folder / file) == (folder / file if there else None)


def test_without_weights_each_backbone_looks_for_its_own(tmp_path: Path) -> None:
    assert weights_for("resnet18", None) is None
    # A path that is not there stays, so that loading says so.
    assert weights_for("resnet18", tmp_path / "gone.pth") == tmp_path / "gone.pth"


def test_weights_of_another_network_do_not_keep_a_packages_from_being_found(folder: Path) -> None:
    found = load_contender(load_preset("embedded-knn"), "cpu", "torch", "auto", folder)
    assert found.fault is None
    assert found.extractor is not None


def test_a_network_that_cannot_be_loaded_is_a_fault_and_no_error(folder: Path) -> None:
    found = load_contender(load_preset("patch"), "cpu", "torch", "auto", folder)
    assert found.extractor is None
    assert found.fault
    assert "resnet18-f37072fd.pth" in found.fault

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.core.building.preset import load_preset, preset_names
from app.core.errors import PresetError
from app.core.features.backbones import get_backbone
from app.core.judging.calibration import Quantile
from app.core.methods.knn import KnnSettings
from app.core.methods.registry import MethodChoice
from tests.support import ROOT

VALID = """
name = "mine"
description = "a method of my own"
[features]
backbone = "resnet18"
layers = ["layer4"]
[features.preprocess]
input_size = 224
resize = "squash"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
[method]
kind = "knn"
k = 3
[threshold]
rule = "quantile"
q = 0.95
"""


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_the_three_global_methods_are_there() -> None:
    assert {"embedded-knn", "goods-knn", "carpet-knn"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_named_as_its_file(name: str) -> None:
    assert load_preset(name).name == name


@pytest.mark.parametrize("name", preset_names())
def test_a_presets_layers_are_its_backbones(name: str) -> None:
    features = load_preset(name).features
    assert set(features.layers) <= set(get_backbone(features.backbone).layers)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_normalises_as_its_backbone_was_trained(name: str) -> None:
    features = load_preset(name).features
    backbone = get_backbone(features.backbone)
    assert features.preprocess.mean == pytest.approx(backbone.mean)
    assert features.preprocess.std == pytest.approx(backbone.std)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_names_no_weights_yet(name: str) -> None:
    assert load_preset(name).features.weights_sha256 == ""


def test_a_file_of_ones_own_is_a_preset(tmp_path: Path) -> None:
    preset = load_preset(written(tmp_path, VALID))
    assert preset.name == "mine"
    assert preset.method == MethodChoice(kind="knn", settings=KnnSettings(k=3))
    assert preset.threshold == Quantile(q=0.95)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(PresetError, match=re.escape(", ".join(preset_names()))):
        load_preset("best-knn")


@pytest.mark.parametrize("name", ["../preset", "/etc/passwd", "", "embedded-knn/../goods-knn"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(PresetError):
        load_preset(name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=re.escape("absent.toml")):
        load_preset(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("q = 0.95", "q = 1.5", "threshold"),
        ("k = 3", "k = 0", r"method\.k: "),
        ("k = 3", "neighbours = 3", "neighbours"),
        ("input_size = 224", "input_size = 'large'", "input_size"),
        ('rule = "quantile"', 'rule = "guess"', "threshold"),
        ('layers = ["layer4"]', "layers = []", "layers"),
        ('name = "mine"', 'name = "My Preset"', "name: may have a-z, 0-9, _ and -, at most 64"),
        ("[method]", "[method", "invalid"),
    ],
)
def test_an_invalid_value_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(PresetError, match=named):
        load_preset(written(tmp_path, VALID.replace(old, new)))


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a = " + b"[" * 5000])
def test_a_file_that_is_no_toml_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(PresetError, match="mine"):
        load_preset(path)


def test_a_preset_of_an_older_release_is_told_what_to_change(tmp_path: Path) -> None:
    old = VALID.replace('[method]\nkind = "knn"\nk = 3\n', "[bank]\ncoreset_ratio = 0.1\n")
    with pytest.raises(PresetError, match=r"\[bank\] is \[method\]"):
        load_preset(written(tmp_path, old))


def test_the_readme_says_which_presets_only_aim_at_a_rate() -> None:
    """A conformal threshold alone promises one."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"All promise their false-alarm rate[^;]+;", text)
    aiming = {n for n in preset_names() if load_preset(n).threshold.rule != "alpha"}
    assert set(re.findall(r"`([a-z0-9]+-[a-z0-9-]+)`", told)) == aiming

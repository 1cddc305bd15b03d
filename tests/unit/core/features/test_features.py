from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.core.arrays import Floats
from app.core.building.preset import load_preset
from app.core.errors import BankError, NonFiniteScore, PresetError, WeightsNotFound
from app.core.features.backbones import get_backbone
from app.core.features.extractor import FeatureExtractor, FeatureSpec
from app.core.features.runtimes import choose_runtime
from app.core.features.sample import Sample
from app.core.photo.images import decode
from app.core.photo.preprocess import Preprocess
from tests.support import SHARED, SPEC, ColourRuntime, colour_extractor, encode, plain, textured

CPU = torch.device("cpu")

# Features of `textured(224, 224)` by place, computed once on a CPU in float32. Most are 0 behind
# the last ReLU, so that the highest are pinned, and some at the start.
GOLDEN = {0: 0.0, 1: 0.00160, 7: 0.02636, 714: 4.16763, 897: 4.11408, 113: 3.88876, 778: 3.23867}
GOLDEN_MEAN = 0.06695

FOLDED = SHARED / "weights" / "resnet18_imagenet1k_v1_folded_to_layer3.safetensors"
needs_folded = pytest.mark.skipif(not FOLDED.is_file(), reason="the folded ResNet18 is not here")
LITE_LAYERS = ["blocks.2", "blocks.4"]
# Patches of `textured(256, 256)` by place and column, and their standard deviation, likewise. Those
# of the first two were computed when the networks were still cut by hand.
PLACES = [0, 33, 511, 700, 1023], [0, 5, -1, 100, 64]
PINNED = [
    pytest.param(
        *("resnet18", ["layer2", "layer3"], FOLDED),
        *([0.15935, 0.14225, 0.01481, 0.25890, 0.03133], 0.183955),
        marks=needs_folded,
    ),
    ("efficientnet_lite0", LITE_LAYERS, None,
     [-1.85635, -3.69346, 0.85469, 3.20206, 0.94733], 4.084712),
    ("efficientnet_lite1", LITE_LAYERS, None,
     [1.00789, -13.99523, 1.66070, 1.70223, -0.67427], 5.764341),
    ("efficientnet_lite2", LITE_LAYERS, None,
     [-1.31993, -10.49929, -2.23558, 1.43524, 0.41457], 5.550084),
]  # fmt: skip


def sample(extractor: FeatureExtractor, file: bytes) -> Sample:
    photo = extractor.prepare(decode(file))
    return extractor.sample(extractor.embed([photo])[0], photo)


@pytest.fixture(scope="module")
def lite0() -> FeatureExtractor:
    exact = choose_runtime(CPU, precision="float32")
    return FeatureExtractor.load(load_preset("embedded-knn").features, CPU, None, exact)


def embed(extractor: FeatureExtractor, *files: bytes) -> Floats:
    return extractor.embed([extractor.prepare(decode(data)) for data in files])


def test_lite0s_features_are_those_pinned(lite0: FeatureExtractor) -> None:
    features = embed(lite0, encode(textured(224, 224)))
    assert features.shape == (1, 1, 1280)
    np.testing.assert_allclose(features[0, 0, list(GOLDEN)], list(GOLDEN.values()), atol=1e-3)
    assert features.mean() == pytest.approx(GOLDEN_MEAN, abs=1e-4)


@pytest.mark.parametrize(("backbone", "layers", "weights", "values", "std"), PINNED)
def test_a_backbones_patches_are_those_pinned(
    backbone: str, layers: list[str], weights: Path | None, values: list[float], std: float
) -> None:
    row = get_backbone(backbone)
    spec = FeatureSpec(
        backbone=backbone,
        layers=tuple(layers),
        pooling="patches",
        neighbourhood=3,
        preprocess=Preprocess(input_size=256, resize="squash", mean=row.mean, std=row.std),
    )
    exact = choose_runtime(CPU, precision="float32")
    (patches,) = embed(FeatureExtractor.load(spec, CPU, weights, exact), encode(textured(256, 256)))
    np.testing.assert_allclose(patches[PLACES], values, atol=1e-3)
    assert patches.std() == pytest.approx(std, abs=1e-3)


@pytest.mark.parametrize(
    ("backbone", "layer", "input_size", "side"),
    [
        ("resnet18", "layer2", 256, 32),
        ("resnet18", "layer2", 250, 32),
        ("dinov2_vits14", "blocks.11", 448, 32),
        ("dinov2_vits14", "blocks.11", 461, 32),
        ("pixels", "pixels", 64, 64),
    ],
)
def test_the_grid_is_the_finest_layers_map(
    backbone: str, layer: str, input_size: int, side: int
) -> None:
    spec = SPEC.model_copy(
        update={
            "backbone": backbone,
            "layers": (layer,),
            "pooling": "patches",
            "preprocess": SPEC.preprocess.model_copy(update={"input_size": input_size}),
        }
    )
    assert spec.grid == (side, side)


def test_a_spec_from_before_there_was_a_unit_length_means_none() -> None:
    stored = SPEC.model_dump()
    del stored["unit_length"]
    assert FeatureSpec.model_validate(stored) == SPEC
    assert not SPEC.unit_length


def test_features_of_unit_length_keep_their_direction() -> None:
    spec = SPEC.model_copy(update={"unit_length": True})
    photo = encode(plain((51, 102, 204)))
    (found,) = embed(colour_extractor(spec), photo)
    (plain_one,) = embed(colour_extractor(), photo)
    np.testing.assert_allclose(found, plain_one / np.linalg.norm(plain_one), atol=1e-6)


def test_loading_writes_the_weights_hash_into_the_spec(lite0: FeatureExtractor) -> None:
    assert len(lite0.spec.weights_sha256) == 64
    again = FeatureExtractor.load(lite0.spec, CPU, None)
    assert again.spec == lite0.spec


def test_a_hash_that_no_file_has_is_refused() -> None:
    spec = load_preset("embedded-knn").features.model_copy(update={"weights_sha256": "f" * 64})
    with pytest.raises(WeightsNotFound, match="ffffffffffff"):
        FeatureExtractor.load(spec, CPU, None)


@pytest.mark.parametrize("change", [{"backbone": "vgg16"}, {"layers": ("blocks.9",)}])
def test_what_the_table_does_not_have_is_refused(change: dict[str, object]) -> None:
    spec = load_preset("embedded-knn").features.model_copy(update=change)
    with pytest.raises(PresetError):
        FeatureExtractor.load(spec, CPU, None)


def test_a_batch_of_real_photos_equals_them_one_by_one(lite0: FeatureExtractor) -> None:
    files = [encode(textured(w, h)) for w, h in ((224, 224), (300, 200), (97, 180))]
    together = embed(lite0, *files)
    alone = np.concatenate([embed(lite0, data) for data in files])
    np.testing.assert_allclose(together, alone, atol=1e-4)


@given(colours=st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=5))
def test_global_features_are_the_maps_means(colours: list[tuple[int, int, int]]) -> None:
    features = embed(colour_extractor(), *(encode(plain(c)) for c in colours))
    assert features.shape == (len(colours), 1, 3)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[:, 0], np.array(colours) / 255, atol=1e-5)


@pytest.mark.parametrize("columns", [(0,), (2, 0), (0, 1, 2)])
def test_selected_dimensions_are_taken_in_their_order(columns: tuple[int, ...]) -> None:
    spec = SPEC.model_copy(update={"selected_dimensions": columns})
    colour = (51, 102, 204)
    cells = sample(colour_extractor(spec), encode(plain(colour))).cells
    np.testing.assert_allclose(cells[0, 0], [colour[c] / 255 for c in columns], atol=1e-5)


def test_one_network_serves_specs_that_differ_in_selected_dimensions() -> None:
    extractor = colour_extractor()
    other = SPEC.model_copy(update={"selected_dimensions": (1,)})
    shared = extractor.with_spec(other)
    assert shared.spec == other
    assert shared.runtime is extractor.runtime


def test_layers_are_concatenated_in_order() -> None:
    class TwoLayers(ColourRuntime):
        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return batch[:, :1], batch[:, 1:] * 10

    features = embed(FeatureExtractor(SPEC, TwoLayers()), encode(plain((51, 102, 204))))
    np.testing.assert_allclose(features[0, 0], [0.2, 4.0, 8.0], atol=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused(value: float) -> None:
    class Broken(ColourRuntime):
        def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (torch.where(torch.rand_like(batch) < 0.5, value, batch),)

    with pytest.raises(NonFiniteScore):
        sample(FeatureExtractor(SPEC, Broken()), encode(plain(9)))


def keys(*changes: dict[str, object]) -> set[str]:
    return {FeatureSpec.model_validate(SPEC.model_dump() | c).network_key() for c in changes}


def test_specs_share_a_network_whatever_their_selected_dimensions() -> None:
    assert len(keys({}, {"selected_dimensions": (0,)}, {"selected_dimensions": (1, 2)})) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "resnet18"},
        {"weights_sha256": "1" * 64},
        {"layers": ("layer2",)},
        {"unit_length": True},
        {"preprocess": SPEC.preprocess.model_copy(update={"input_size": 64})},
    ],
)
def test_specs_that_differ_otherwise_do_not(change: dict[str, object]) -> None:
    assert len(keys({}, change)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"layers": ("colour", "colour")},
        {"layers": tuple(map(str, range(40)))},
        {"selected_dimensions": (1, 1)},
        {"selected_dimensions": (-1,)},
        {"selected_dimensions": ()},
    ],
)
def test_a_spec_that_asks_for_the_same_twice_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"layer|selected_dimensions"):
        FeatureSpec.model_validate(SPEC.model_dump() | change)


def test_dimensions_that_the_network_does_not_have_are_refused() -> None:
    spec = SPEC.model_copy(update={"selected_dimensions": (0, 3)})
    with pytest.raises(BankError, match="3 dimensions"):
        sample(colour_extractor(spec), encode(plain(9)))


def test_more_cells_than_memory_is_kept_for_are_refused() -> None:
    preprocess = SPEC.preprocess.model_copy(update={"input_size": 512})
    changes = {"backbone": "pixels", "layers": ("pixels",), "pooling": "patches"}
    spec = SPEC.model_copy(update=changes | {"preprocess": preprocess})
    with pytest.raises(PresetError, match="lower input_size"):
        _ = spec.grid

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from app.core.errors import WeightsNotFound
from app.core.features.backbones import BACKBONES
from app.core.features.extractor import FeatureExtractor, FeatureSpec
from app.core.features.runtimes import choose_runtime
from app.core.features.weights import find_weights
from app.core.photo.images import decode
from tests.support import encode, textured
from tests.unit.core.features.by_hand import RUNTIMES

CPU = torch.device("cpu")
NOTHING = hashlib.sha256(b"").hexdigest()
SPEC = FeatureSpec.model_validate(
    {
        "backbone": "pixels",
        "layers": ["pixels"],
        "pooling": "patches",
        "preprocess": {
            "input_size": 64, "resize": "squash", "mean": [0, 0, 0], "std": [1, 1, 1],
        },
    }
)  # fmt: skip


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_each_place_is_its_pixel(runtime: str) -> None:
    made = FeatureExtractor.load(SPEC, CPU, None, choose_runtime(CPU, runtime, "float32"))
    photos = [made.prepare(decode(encode(textured(w, h)))) for w, h in ((64, 64), (200, 90))]
    found = made.embed(photos)
    assert made.grid == (64, 64)
    expected = np.stack([photo.pixels for photo in photos]).reshape(2, 64 * 64, 3) / 255
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_manifest_names_the_sha256_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "of-another.pth").write_bytes(b"weights")
    made = FeatureExtractor.load(SPEC, CPU, tmp_path / "of-another.pth")
    assert made.spec.weights_sha256 == NOTHING
    assert FeatureExtractor.load(made.spec, CPU, tmp_path).spec == made.spec


def test_a_manifest_that_names_weights_is_refused() -> None:
    with pytest.raises(WeightsNotFound, match="ffffffffffff"):
        find_weights(BACKBONES["pixels"], sha256="f" * 64)

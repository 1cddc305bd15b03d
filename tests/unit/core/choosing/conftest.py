from __future__ import annotations

import pytest

from app.core.building.preset import Preset, load_preset
from app.core.features.extractor import FeatureExtractor

from .scenes import looking_at


@pytest.fixture(scope="package")
def preset() -> Preset:
    """Quick: a small input and a small bank."""
    made = load_preset("embedded-patch")
    changes = {"input_size": 160, "mean": (0.0,) * 3, "std": (1.0,) * 3, "draft_margin": 0.0}
    features = made.features.model_copy(
        update={
            "layers": ("blocks.2",),
            "neighbourhood": 1,
            "preprocess": made.features.preprocess.model_copy(update=changes),
        }
    )
    settings = made.method.settings.model_copy(update={"max_vectors": 400})
    method = made.method.model_copy(update={"settings": settings})
    return made.model_copy(update={"features": features, "method": method})


@pytest.fixture(scope="package")
def extractor(preset: Preset) -> FeatureExtractor:
    return looking_at(preset)

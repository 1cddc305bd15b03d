"""Small banks of drawn cans for the long runs, built by the real pipeline from packaged weights."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import torch
from PIL import Image

from app.core.building.build import build_bank
from app.core.building.preset import load_preset
from app.core.features.extractor import FeatureExtractor
from app.core.judging.calibration import Alpha
from app.core.photo.dataset import read_category
from app.core.store import artifact as artifacts
from app.core.store.artifact import Artifact
from app.core.threads import set_threads
from scripts.draw_example import draw_can

KNN, PATCH = "embedded-knn", "embedded-patch"
ALPHA = 0.1  # what two dozen photos can promise


@cache
def extractor(preset: str) -> FeatureExtractor:
    """A preset's extractor, loaded once."""
    set_threads(1)
    return FeatureExtractor.load(load_preset(preset).features, torch.device("cpu"), None)


def write_cans(data: Path, category: str, *, photos: int = 24, first: int = 0) -> Path:
    """`photos` drawn cans as `<data>/<category>/train/good`; `first` is the first one's seed."""
    folder = data / category / "train" / "good"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + photos):
        draw_can(seed).save(folder / f"{seed:04}.png")
    return data


def make_bank(
    folder: Path, category: str, *, preset: str = KNN, photos: int = 24, first: int = 0
) -> Artifact:
    """A bank in memory; `folder` keeps its photos."""
    data = write_cans(folder, category, photos=photos, first=first)
    build = build_bank(
        read_category(data, category),
        load_preset(preset),
        extractor(preset),
        threshold=Alpha(alpha=ALPHA),
    )
    return build.artifact


def store_bank(models: Path, artifact: Artifact) -> str:
    """Save a bank; the version, which `current` names now."""
    return artifacts.save(models, artifact).bank_version


def photo(seed: int, kind: str = "JPEG", size: tuple[int, int] | None = None) -> bytes:
    """A drawn can as a file; no bank holds those from 1000 on."""
    image = draw_can(seed, damaged=seed % 2 == 1)
    if size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()

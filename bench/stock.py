"""Photos, patches and banks for the benches: real ones, of any number and size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from app.core.arrays import Floats
from app.core.building.build import build_bank
from app.core.building.preset import Preset
from app.core.building.reading import read_batches
from app.core.features.extractor import FeatureExtractor
from app.core.judging.calibration import Alpha
from app.core.judging.golden import Golden
from app.core.methods.knn import Knn, KnnSettings
from app.core.methods.knn.bank import MemoryBank
from app.core.methods.knn.search import plan_search
from app.core.methods.method import Scorer
from app.core.methods.registry import MethodChoice, MethodRecord
from app.core.photo.dataset import Category
from app.core.store.artifact import Artifact, new_version

SIZES = {"640 × 480": (640, 480), "3000 × 3000": (3000, 3000)}
# The build plans a bank's search on so many of its photos.
PLANNED_ON = 32
# Standard deviation of a camera's noise: an enlarged photo without any would be all smooth, and a
# JPEG of it a quarter of a real one's bytes.
_GRAIN = 3.0
_SMALL_BUILD, _SMALL_BANK, _SMALL_ALPHA = 24, 256, 0.05


def jpeg(path: Path, size: tuple[int, int], quality: int = 90) -> bytes:
    """A photo brought to (width, height), as a camera would send it."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
    grain = np.random.default_rng(0).normal(0.0, _GRAIN, pixels.shape)
    noisy = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def patches_of_files(paths: Sequence[Path], extractor: FeatureExtractor) -> list[Floats]:
    """(P, D) float32 per readable photo, as a build takes them."""
    found = []
    for photos, _ in read_batches(paths, extractor):
        embeddings = extractor.embed([photo.prepared for photo in photos])
        for photo, embedding in zip(photos, embeddings, strict=True):
            found.append(extractor.sample(embedding, photo.prepared).patches)
    return found


def draw(photos: Sequence[Floats], count: int, seed: int = 0) -> Floats:
    """`count` of the photos' patches, each at most once, by chance: a coreset of hundreds of
    thousands would take hours, and a search costs the same whichever vectors there are."""
    chances = np.random.default_rng(seed)
    starts = np.cumsum([0, *map(len, photos)])
    chosen = np.sort(chances.choice(starts[-1], count, replace=False))
    parts = np.split(chosen, np.searchsorted(chosen, starts[1:-1]))
    picked = [p[c - s] for p, c, s in zip(photos, parts, starts[:-1], strict=True)]
    return np.concatenate(picked)


def small_artifact(category: Category, preset: Preset, extractor: FeatureExtractor) -> Artifact:
    """A whole artifact of a few photos, into which `with_bank` puts another bank."""
    few = MethodChoice(kind="knn", settings=KnnSettings(max_vectors=_SMALL_BANK))
    small = preset.model_copy(update={"method": few})
    rule = Alpha(alpha=_SMALL_ALPHA)
    return build_bank(category, small, extractor, threshold=rule, limit=_SMALL_BUILD).artifact


def with_bank(
    artifact: Artifact,
    vectors: Floats,
    photos: Sequence[Floats],
    extractor: FeatureExtractor,
    category: str | None = None,
) -> Artifact:
    """The artifact with another bank, its search planned as a build plans it.

    The threshold stays: it decides what is drawn, not what is searched.

    Args:
        vectors: (N, D). photos: the patches of a few good photos.
    """
    bank = MemoryBank(vectors)
    search = plan_search(bank, artifact.manifest.scoring, photos[:PLANNED_ON], seed=0)
    learnt = Knn(KnnSettings(search=search.plan), bank, search.lists)
    changes = {
        "method": MethodRecord.of(learnt),
        "bank_version": new_version(),
        "category": category or artifact.manifest.category,
    }
    return replace(
        artifact,
        manifest=artifact.manifest.model_copy(update=changes),
        method=learnt,
        golden=Golden.measure(
            artifact.golden.photos(), extractor, Scorer(learnt, artifact.manifest.scoring)
        ),
    )


def knn_of(artifact: Artifact) -> Knn:
    """The memory bank in an artifact; what is measured of its search is measured of no other."""
    assert isinstance(artifact.method, Knn)
    return artifact.method


def shape_of(learnt: Knn) -> list[int]:
    """Vectors and dimensions, for the tables."""
    return [len(learnt.bank), learnt.bank.dimensions]

"""Good images -> bank, calibration, artifact: the offline half, through the same functions."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np

from app import __version__
from app.core import artifact as artifacts
from app.core.bank import MemoryBank
from app.core.calibration import Calibration, leave_one_out_scores
from app.core.dataset import Category, groups
from app.core.errors import DatasetError, TooManyUnreadable
from app.core.features import Embedding, FeatureExtractor
from app.core.preset import Preset
from app.core.reading import Unreadable, read_batches

# A folder of photos has the odd broken file; more than this share means that something is wrong.
MAX_UNREADABLE = 0.05

Progress = Callable[[int], None]  # images done since the last call


@dataclass(frozen=True)
class Build:
    """A bank that is not on disk yet, and what a person wants to know of it.

    Attributes:
        unreadable: files that were skipped.
        warnings: sentences for the person who builds.
    """

    artifact: artifacts.Artifact
    unreadable: tuple[Unreadable, ...]
    warnings: tuple[str, ...]

    @property
    def images_per_second(self) -> float:
        return self.artifact.manifest.counts.images / self.artifact.manifest.wall_time_s


def build_bank(
    category: Category,
    preset: Preset,
    extractor: FeatureExtractor,
    *,
    limit: int | None = None,
    max_unreadable: float = MAX_UNREADABLE,
    progress: Progress = lambda _: None,
) -> Build:
    """Build one category's bank from its good training images.

    Args:
        extractor: made from the preset's features; its spec carries the weights' hash.
        limit: take that many images only, evenly spread over the sorted list.
        max_unreadable: the share of broken files above which the build is refused.

    Raises:
        DatasetError: no images. TooManyUnreadable. CalibrationError: too few images.
        NonFiniteScore: the network answered with NaN or infinity.
    """
    start = time.perf_counter()
    paths = _spread(category.train, limit)
    if not paths:
        raise DatasetError(f"no images in {category.name}/train/good")
    read, embeddings, unreadable = _embed(paths, extractor, progress)  # (N, 1, D)
    if len(unreadable) > max_unreadable * len(paths):
        raise TooManyUnreadable(
            f"{len(unreadable)} of {len(paths)} images of {category.name} cannot be read, more "
            f"than {max_unreadable:.0%}: {_names(unreadable)}. "
            "Replace them, or raise --max-unreadable."
        )
    vectors = embeddings[:, 0, :]
    spec, warnings = extractor.spec, []
    if (kept := preset.bank.highest_std_dimensions) is not None:
        columns = highest_std_dimensions(vectors, kept)
        vectors = vectors[:, columns]
        spec = spec.model_copy(update={"selected_dimensions": tuple(columns.tolist())})
    bank = MemoryBank(vectors)
    scoring = preset.scoring
    if scoring.k > len(bank):
        warnings.append(
            f"k = {scoring.k} neighbours were asked for, the bank has {len(bank)} vectors: "
            f"k is clipped to {len(bank)}"
        )
        scoring = scoring.model_copy(update={"k": len(bank)})
    scores = leave_one_out_scores(bank, groups(read), scoring)
    calibration = Calibration.from_rule(scores, preset.threshold)
    manifest = artifacts.Manifest(
        category=category.name,
        bank_version=artifacts.new_version(),
        created_at=datetime.now(UTC),
        preset=preset.name,
        features=spec,
        bank=artifacts.BankShape(vectors=len(bank), dimensions=bank.dimensions),
        coreset=artifacts.Coreset(),
        scoring=scoring,
        threshold=artifacts.ThresholdRecord(
            rule=preset.threshold, value=calibration.threshold, alpha=calibration.alpha
        ),
        counts=artifacts.Counts(
            images=len(read),
            unreadable=len(unreadable),
            ignored=category.ignored,
            calibration_scores=len(scores),
        ),
        runtime=artifacts.RuntimeRecord(
            name=extractor.runtime.name,
            precision=extractor.runtime.precision,
            device=extractor.runtime.device.type,
        ),
        training_files_sha256=artifacts.training_files_sha256(read),
        libraries=library_versions(),
        wall_time_s=round(time.perf_counter() - start, 3),
    )
    built = artifacts.Artifact(manifest, bank, calibration)
    return Build(built, tuple(unreadable), tuple(warnings))


def highest_std_dimensions(
    vectors: Embedding, kept: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The `kept` columns of (N, D) with the highest standard deviation, in ascending order."""
    std = vectors.std(axis=0, dtype=np.float64)
    return np.sort(np.argsort(-std, kind="stable")[:kept])


def library_versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    names = ("torch", "torchvision", "timm", "faiss-cpu", "numpy", "pillow")
    versions = {"goodsguard": __version__, "python": platform.python_version()}
    return versions | {name: metadata.version(name) for name in names}


def _embed(
    paths: list[Path], extractor: FeatureExtractor, progress: Progress
) -> tuple[list[Path], Embedding, list[Unreadable]]:
    read: list[Path] = []
    blocks: list[Embedding] = []
    unreadable: list[Unreadable] = []
    for photos, broken in read_batches(paths, extractor):
        unreadable += broken
        if photos:
            read += [path for path, _ in photos]
            blocks.append(extractor.embed([prepared for _, prepared in photos]))
        progress(len(photos) + len(broken))
    if not blocks:
        raise TooManyUnreadable(
            f"none of the {len(paths)} images can be read: {_names(unreadable)}"
        )
    return read, np.concatenate(blocks), unreadable


def _spread(paths: tuple[Path, ...], limit: int | None) -> list[Path]:
    if limit is None or limit >= len(paths):
        return list(paths)
    return [paths[i * len(paths) // limit] for i in range(limit)]


def _names(unreadable: list[Unreadable]) -> str:
    shown = [f"{u.path.name} ({u.reason})" for u in unreadable[:3]]
    return "; ".join(shown) + ("; …" if unreadable[3:] else "")

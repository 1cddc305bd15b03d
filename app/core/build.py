"""Good images -> bank, calibration, artifact: the offline half, through the same functions."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app import __version__
from app.core import artifact as artifacts
from app.core import manifest as manifests
from app.core.bank import MemoryBank
from app.core.calibration import (
    Alpha,
    Calibration,
    Rule,
    Scores,
    assign_folds,
    leave_one_out_scores,
)
from app.core.dataset import Category, groups
from app.core.errors import CalibrationError, DatasetError, TooManyUnreadable
from app.core.features import Embedding, FeatureExtractor
from app.core.patch_banks import bank_of_patches
from app.core.preset import Preset
from app.core.reading import Unreadable, read_batches
from app.core.scoring import Scoring
from app.core.spool import Spool

# A folder of photos has the odd broken file; more than this share means that something is wrong.
MAX_UNREADABLE = 0.05

Progress = Callable[[str, int, int], None]  # step, done, total


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


@dataclass(frozen=True)
class HeldOut:
    """What good images got from banks without them, (N,) float32 each.

    Attributes:
        scores: image scores. peaks, medians: of their score maps.
    """

    scores: Scores
    peaks: Scores
    medians: Scores


@dataclass(frozen=True)
class _Made:
    bank: MemoryBank
    patches: int  # that the bank was chosen from
    scoring: Scoring
    held_out: HeldOut
    columns: npt.NDArray[np.int64] | None
    warnings: list[str]


def build_bank(
    category: Category,
    preset: Preset,
    extractor: FeatureExtractor,
    *,
    threshold: Rule | None = None,
    limit: int | None = None,
    max_unreadable: float = MAX_UNREADABLE,
    progress: Progress = lambda _step, _done, _total: None,
) -> Build:
    """Build one category's bank from its good training images.

    Args:
        extractor: made from the preset's features; its spec carries the weights' hash.
        threshold: a rule in place of the preset's.
        limit: take that many images only, evenly spread over the sorted list.
        max_unreadable: the share of broken files above which the build is refused.

    Raises:
        DatasetError: no images. TooManyUnreadable. CalibrationError: too few images.
        NonFiniteScore: the network answered with NaN or infinity.
    """
    start = time.perf_counter()
    rule = threshold or preset.threshold
    paths = _spread(category.train, limit)
    if not paths:
        raise DatasetError(f"no images in {category.name}/train/good")
    _check_promise(rule, len(paths))
    with Spool() as spool:
        read, unreadable = _embed(paths, extractor, spool, progress)
        _check_unreadable(unreadable, len(paths), max_unreadable, category.name)
        names = groups(read) if preset.calibration.keep_groups else [p.name for p in read]
        make = _global_bank if extractor.grid == (1, 1) else _patch_bank
        made = make(spool, names, preset, progress)
    calibration = Calibration.from_rule(made.held_out.scores, rule)
    manifest = _manifest(
        preset,
        extractor,
        made,
        category=category.name,
        threshold=manifests.ThresholdRecord(
            rule=rule, value=calibration.threshold, alpha=calibration.alpha
        ),
        counts=manifests.Counts(
            images=len(read),
            unreadable=len(unreadable),
            ignored=category.ignored,
            calibration_scores=len(calibration.scores),
        ),
        training_files_sha256=artifacts.training_files_sha256(read),
        wall_time_s=round(time.perf_counter() - start, 3),
    )
    built = artifacts.Artifact(manifest, made.bank, calibration, made.held_out.peaks)
    return Build(built, tuple(unreadable), tuple(made.warnings))


def _manifest(
    preset: Preset,
    extractor: FeatureExtractor,
    made: _Made,
    *,
    threshold: manifests.ThresholdRecord,
    counts: manifests.Counts,
    **facts: Any,
) -> manifests.Manifest:
    spec = extractor.spec
    if made.columns is not None:
        spec = spec.model_copy(update={"selected_dimensions": tuple(made.columns.tolist())})
    return manifests.Manifest(
        bank_version=artifacts.new_version(),
        created_at=datetime.now(UTC),
        preset=preset.name,
        features=spec,
        bank=manifests.BankShape(vectors=len(made.bank), dimensions=made.bank.dimensions),
        coreset=manifests.Coreset(rule=preset.bank, ratio=len(made.bank) / made.patches),
        scoring=made.scoring,
        threshold=threshold,
        anomaly_map=manifests.MapScale(
            low=float(np.median(made.held_out.medians)),
            threshold=threshold.rule.value(made.held_out.peaks),
        ),
        counts=counts,
        runtime=manifests.RuntimeRecord(
            name=extractor.runtime.name,
            precision=extractor.runtime.precision,
            device=extractor.runtime.device.type,
        ),
        libraries=library_versions(),
        **facts,
    )


def highest_std_dimensions(vectors: Embedding, kept: int) -> npt.NDArray[np.int64]:
    """The `kept` columns of (N, D) with the highest standard deviation, in ascending order."""
    std = vectors.std(axis=0, dtype=np.float64)
    return np.sort(np.argsort(-std, kind="stable")[:kept])


def library_versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    names = ("torch", "torchvision", "timm", "faiss-cpu", "numpy", "pillow", "scipy")
    versions = {"goodsguard": __version__, "python": platform.python_version()}
    return versions | {name: metadata.version(name) for name in names}


def _embed(
    paths: list[Path], extractor: FeatureExtractor, spool: Spool, progress: Progress
) -> tuple[list[Path], list[Unreadable]]:
    """Fill the spool with each readable photo's patches, those of the padding left out."""
    read: list[Path] = []
    unreadable: list[Unreadable] = []
    for photos, broken in read_batches(paths, extractor):
        unreadable += broken
        if photos:
            embeddings = extractor.embed([prepared for _, prepared in photos])  # (B, P, D)
            for (path, prepared), embedding in zip(photos, embeddings, strict=True):
                rows, columns = prepared.cells(extractor.grid)
                grid = embedding.reshape(*extractor.grid, -1)
                spool.append(np.ascontiguousarray(grid[rows, columns]))
                read.append(path)
        progress("embed", len(read) + len(unreadable), len(paths))
    return read, unreadable


def _global_bank(spool: Spool, names: list[str], preset: Preset, _: Progress) -> _Made:
    """All vectors, in order, perhaps fewer columns; each image is left out in turn."""
    vectors = np.concatenate([spool.patches(image) for image in range(len(spool))])
    columns = None
    if (kept := preset.bank.highest_std_dimensions) is not None:
        columns = highest_std_dimensions(vectors, kept)
        vectors = np.ascontiguousarray(vectors[:, columns])
    bank = MemoryBank(vectors)
    scoring, warnings = _clipped(preset.scoring, bank)
    scores = leave_one_out_scores(bank, names, scoring)
    held_out = HeldOut(scores, peaks=scores, medians=scores)
    return _Made(bank, len(bank), scoring, held_out, columns, warnings)


def _patch_bank(spool: Spool, names: list[str], preset: Preset, progress: Progress) -> _Made:
    """A coreset of the patches; each fold is scored against a bank made without it."""
    bank = bank_of_patches(spool, range(len(spool)), preset.bank, _step(progress, "coreset"))
    scoring, warnings = _clipped(preset.scoring, bank)
    folds = assign_folds(names, preset.calibration.folds, preset.bank.seed)
    held_out = HeldOut(*np.empty((3, len(spool)), dtype=np.float32))
    done = 0
    for fold in range(int(folds.max()) + 1):
        others = np.flatnonzero(folds != fold).tolist()
        fold_bank = bank_of_patches(spool, others, preset.bank)
        for image in np.flatnonzero(folds == fold).tolist():
            distances, _ = fold_bank.search(spool.patches(image), scoring.k)
            patch_scores = scoring.patch_scores(distances)
            score_map = scoring.score_map(patch_scores, spool[image].shape[:2])
            held_out.scores[image] = scoring.image_score(patch_scores)
            held_out.peaks[image] = score_map.max()
            held_out.medians[image] = np.median(score_map)
            done += 1
            progress("calibration", done, len(spool))
    patches = sum(len(spool.patches(image)) for image in range(len(spool)))
    return _Made(bank, patches, scoring, held_out, None, warnings)


def _clipped(scoring: Scoring, bank: MemoryBank) -> tuple[Scoring, list[str]]:
    if scoring.k <= len(bank):
        return scoring, []
    warning = (
        f"k = {scoring.k} neighbours were asked for, the bank has {len(bank)} vectors: "
        f"k is clipped to {len(bank)}"
    )
    return scoring.model_copy(update={"k": len(bank)}), [warning]


def _check_promise(rule: Rule, images: int) -> None:
    """Refuse an alpha that so few images cannot carry before an hour goes into the build."""
    if isinstance(rule, Alpha):
        rule.value(np.zeros(images, dtype=np.float32))
    if images < 2:
        raise CalibrationError("a bank needs 2 good images or more")


def _check_unreadable(unreadable: list[Unreadable], images: int, share: float, name: str) -> None:
    if len(unreadable) == images:
        raise TooManyUnreadable(f"none of the {images} images can be read: {_names(unreadable)}")
    if len(unreadable) > share * images:
        raise TooManyUnreadable(
            f"{len(unreadable)} of {images} images of {name} cannot be read, more than "
            f"{share:.0%}: {_names(unreadable)}. Replace them, or raise --max-unreadable."
        )


def _step(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


def _spread(paths: tuple[Path, ...], limit: int | None) -> list[Path]:
    if limit is None or limit >= len(paths):
        return list(paths)
    return [paths[i * len(paths) // limit] for i in range(limit)]


def _names(unreadable: list[Unreadable]) -> str:
    shown = [f"{u.path.name} ({u.reason})" for u in unreadable[:3]]
    return "; ".join(shown) + ("; …" if unreadable[3:] else "")

"""Good images -> bank, calibration, artifact: the offline half, through the same functions."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app import __version__
from app.core import artifact as artifacts
from app.core.bank import MemoryBank
from app.core.bank_rule import BankRule
from app.core.calibration import (
    Alpha,
    Calibration,
    Rule,
    Scores,
    assign_folds,
    leave_one_out_scores,
)
from app.core.coreset import StreamingCoreset
from app.core.dataset import Category, groups
from app.core.errors import CalibrationError, DatasetError, TooManyUnreadable
from app.core.features import Embedding, FeatureExtractor
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
        columns = _columns(spool, preset.bank)
        bank = make_bank(spool, range(len(spool)), preset.bank, columns, _step(progress, "coreset"))
        scoring, warnings = _clipped(preset.scoring, bank)
        held_out = _calibrate(
            spool, read, preset, scoring, bank, columns, _step(progress, "calibration")
        )
    scores = held_out.scores
    calibration = Calibration.from_rule(scores, rule)
    spec = extractor.spec
    if columns is not None:
        spec = spec.model_copy(update={"selected_dimensions": tuple(columns.tolist())})
    manifest = artifacts.Manifest(
        category=category.name,
        bank_version=artifacts.new_version(),
        created_at=datetime.now(UTC),
        preset=preset.name,
        features=spec,
        bank=artifacts.BankShape(vectors=len(bank), dimensions=bank.dimensions),
        coreset=artifacts.Coreset(
            rule=preset.bank, ratio=len(bank) / (len(read) * spec.grid[0] * spec.grid[1])
        ),
        scoring=scoring,
        threshold=artifacts.ThresholdRecord(
            rule=rule, value=calibration.threshold, alpha=calibration.alpha
        ),
        anomaly_map=artifacts.MapScale(
            low=float(np.median(held_out.medians)), threshold=rule.value(held_out.peaks)
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
    built = artifacts.Artifact(manifest, bank, calibration, held_out.peaks)
    return Build(built, tuple(unreadable), tuple(warnings))


def make_bank(
    spool: Spool,
    images: Sequence[int],
    rule: BankRule,
    columns: npt.NDArray[np.int64] | None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> MemoryBank:
    """The bank of some of the spooled images: their patches, reduced to a coreset."""
    total = sum(len(spool.patches(image)) for image in images)
    size = rule.size(total)
    if size == total:  # kept whole and in order: leave-one-out finds each image by its index
        kept = np.concatenate([_selected(spool.patches(image), columns) for image in images])
        return MemoryBank(kept)
    dimensions = _selected(spool.patches(images[0]), columns).shape[1]
    coreset = StreamingCoreset(
        size,
        seed=rule.seed,
        buffer_bytes=_buffer_bytes(total, size, dimensions),
        progress=progress,
    )
    for image in images:
        coreset.add(_selected(spool.patches(image), columns))
    vectors, _ = coreset.finish(size)
    return MemoryBank(vectors)


def highest_std_dimensions(std: npt.NDArray[np.float64], kept: int) -> npt.NDArray[np.int64]:
    """The `kept` dimensions with the highest standard deviation over the bank, ascending."""
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


def _calibrate(
    spool: Spool,
    read: list[Path],
    preset: Preset,
    scoring: Scoring,
    bank: MemoryBank,
    columns: npt.NDArray[np.int64] | None,
    progress: Callable[[int, int], None],
) -> HeldOut:
    """Score each good image against a bank without it.

    Global methods leave one out; patch methods go by folds, each scored against a bank made,
    scale and coreset and all, without it.
    """
    names = groups(read) if preset.calibration.keep_groups else [path.name for path in read]
    if spool[0].shape[:2] == (1, 1):
        scores = leave_one_out_scores(bank, names, scoring)
        return HeldOut(scores, peaks=scores, medians=scores)
    folds = assign_folds(names, preset.calibration.folds, preset.bank.seed)
    held_out = HeldOut(*np.empty((3, len(spool)), dtype=np.float32))
    done = 0
    for fold in range(int(folds.max()) + 1):
        others = np.flatnonzero(folds != fold).tolist()
        fold_bank = make_bank(spool, others, preset.bank, columns)
        for image in np.flatnonzero(folds == fold).tolist():
            distances, _ = fold_bank.search(_selected(spool.patches(image), columns), scoring.k)
            patch_scores = scoring.patch_scores(distances)
            score_map = scoring.score_map(patch_scores, spool[image].shape[:2])
            held_out.scores[image] = scoring.image_score(patch_scores)
            held_out.peaks[image] = score_map.max()
            held_out.medians[image] = np.median(score_map)
            done += 1
            progress(done, len(spool))
    return held_out


def _columns(spool: Spool, rule: BankRule) -> npt.NDArray[np.int64] | None:
    if rule.highest_std_dimensions is None:
        return None
    _, std = _moments(spool, range(len(spool)), None)
    return highest_std_dimensions(std, rule.highest_std_dimensions)


def _moments(
    spool: Spool, images: Sequence[int], columns: npt.NDArray[np.int64] | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each dimension over all patches, in one pass."""
    shift = _selected(spool.patches(images[0]), columns).mean(axis=0, dtype=np.float64)
    count, total, squares = 0, np.zeros_like(shift), np.zeros_like(shift)
    for image in images:
        # About the first image's mean: sums of large squares would lose the digits of the spread.
        centred = _selected(spool.patches(image), columns) - shift
        count += len(centred)
        total += centred.sum(axis=0)
        squares += np.einsum("pd,pd->d", centred, centred)
    mean = total / count
    return mean + shift, np.sqrt(np.maximum(squares / count - mean**2, 0.0))


def _selected(patches: Embedding, columns: npt.NDArray[np.int64] | None) -> Embedding:
    return patches if columns is None else np.ascontiguousarray(patches[:, columns])


def _clipped(scoring: Scoring, bank: MemoryBank) -> tuple[Scoring, list[str]]:
    if scoring.k <= len(bank):
        return scoring, []
    warning = (
        f"k = {scoring.k} neighbours were asked for, the bank has {len(bank)} vectors: "
        f"k is clipped to {len(bank)}"
    )
    return scoring.model_copy(update={"k": len(bank)}), [warning]


def _buffer_bytes(vectors: int, size: int, dimensions: int) -> int:
    """512 MiB of patches at a time, less where there are fewer, more where the coreset needs it."""
    wanted = min(512 << 20, vectors * dimensions * 4)
    return max(wanted, 2 * size * dimensions * 4)


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

"""Embeddings of good images -> a bank, its search, and what held-out images get from such banks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...building.preset import Preset
from ...features.extractor import Embedding
from ...features.spool import Spool
from ...judging.calibration import Scores, assign_folds, leave_one_out_scores
from ..scoring import Scoring
from .bank import MemoryBank
from .patch_banks import bank_of_patches
from .search import PatchSearch, plan_search

Progress = Callable[[str, int, int], None]  # step, done, total

# Photos on which a bank's search is compared with the exact one.
_SEARCH_SAMPLE = 32


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
class Made:
    """A bank and what its manifest will say of it; `columns` are the dimensions kept."""

    search: PatchSearch
    patches: int  # that the bank was chosen from
    held_out: HeldOut
    columns: npt.NDArray[np.int64] | None
    warnings: list[str]


def global_bank(spool: Spool, names: list[str], preset: Preset, _: Progress) -> Made:
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
    return Made(PatchSearch(bank, scoring), len(bank), held_out, columns, warnings)


def patch_bank(spool: Spool, names: list[str], preset: Preset, progress: Progress) -> Made:
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
    every = max(1, len(spool) // _SEARCH_SAMPLE)
    sample = range(0, len(spool), every)[:_SEARCH_SAMPLE]
    search = plan_search(bank, scoring, (spool.patches(i) for i in sample), preset.bank.seed)
    return Made(search, patches, held_out, None, warnings)


def _clipped(scoring: Scoring, bank: MemoryBank) -> tuple[Scoring, list[str]]:
    if scoring.k <= len(bank):
        return scoring, []
    warning = (
        f"k = {scoring.k} neighbours were asked for, the bank has {len(bank)} vectors: "
        f"k is clipped to {len(bank)}"
    )
    return scoring.model_copy(update={"k": len(bank)}), [warning]


def highest_std_dimensions(vectors: Embedding, kept: int) -> npt.NDArray[np.int64]:
    """The `kept` columns of (N, D) with the highest standard deviation, in ascending order."""
    std = vectors.std(axis=0, dtype=np.float64)
    return np.sort(np.argsort(-std, kind="stable")[:kept])


def _step(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)

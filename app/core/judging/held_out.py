"""What good photos score when they are left out of what scores them: calibration's raw material."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..methods.method import Lesson, Method, Scorer
from .calibration import assign_folds


@dataclass(frozen=True)
class HeldOut:
    """What good images got from methods that had not seen them, (n,) float32 each.

    Attributes:
        scores: image scores. peaks, medians: of their score maps.
    """

    scores: Floats
    peaks: Floats
    medians: Floats


def hold_out(
    method: Method,
    lesson: Lesson,
    *,
    folds: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> HeldOut:
    """Score each sample of the lesson by a method that was fitted without its group.

    By the method's own leave-one-out where it has one, else by folds, each scored by a method of
    the same settings that was fitted on the others.

    Args:
        method: fitted on the whole lesson, copies included. seed: of the folds.
        progress: called with (samples scored, all).

    Raises:
        CalibrationError: fewer than 2 groups.
    """
    alone = method.leave_one_out(lesson)
    if alone is not None:
        return HeldOut(alone, peaks=alone, medians=alone)
    found = HeldOut(*np.empty((3, len(lesson)), dtype=np.float32))
    fold_of = assign_folds(lesson.groups, folds, seed)
    done = 0
    for fold in range(int(fold_of.max()) + 1):
        others = np.flatnonzero(fold_of != fold).tolist()
        scorer = Scorer(
            type(method).fit(method.settings, lesson.of(others).with_turned()), lesson.scoring
        )
        for index in np.flatnonzero(fold_of == fold).tolist():
            sample = lesson.samples[index]
            cells = scorer.cells(sample)
            score_map = scorer.score_map(sample, cells)
            found.scores[index] = scorer.image_score(sample, cells)
            found.peaks[index] = score_map.max()
            found.medians[index] = np.median(score_map[sample.looked])
            done += 1
            progress(done, len(lesson))
    return found

"""Scores of good and damaged photos by each look -> the table, and what is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..evaluating.metrics import auroc, auroc_interval
from ..evaluating.pairing import Labelled
from ..evaluating.photos import photos_difference
from ..photo.look import LookKind
from ..store.look_trial import LookRow
from .trials import EACH
from .trying import Scores, Tried


def table(looks: Sequence[LookKind], tried: Tried) -> tuple[LookRow, ...]:
    """A row for each look, of which the first is `whole`."""
    labelled = [_labelled(scores) for scores in tried.scores]
    return tuple(
        _row(look, own, None if index == 0 else labelled[0], tried)
        for index, (look, own) in enumerate(zip(looks, labelled, strict=True))
    )


def taken(rows: Sequence[LookRow], *, surroundings: bool) -> tuple[int, str]:
    """Which row's look is taken, and why, in a sentence.

    Args:
        surroundings: whether the goods stand before surroundings that differ. Where they do not,
            damage may be anywhere in the frame, and drawn damage cannot say where it is not.
    """
    if not surroundings:
        return 0, (
            "whole: no surroundings are found that differ from photo to photo and from the goods"
        )
    better = [i for i in range(len(rows)) if rows[i].is_better]
    if not better:
        return 0, "whole: no other look is proven to be better on drawn damage"
    best = max(better, key=lambda i: rows[i].auroc)
    return best, (
        f"{rows[best].look}: an AUROC of {rows[best].auroc:.3f} on drawn damage, of the whole "
        f"photo {rows[0].auroc:.3f}, and the difference is proven"
    )


def _row(look: LookKind, own: Labelled, whole: Labelled | None, tried: Tried) -> LookRow:
    difference = None if whole is None else photos_difference(own, whole, EACH)
    low, high = auroc_interval(*own, each=EACH)
    return LookRow(
        look=look,
        auroc=round(auroc(*own), 4),
        ci95=(round(low, 4), round(high, 4)),
        difference=None if difference is None else round(difference.value, 4),
        difference_ci95=None
        if difference is None
        else (round(difference.ci95[0], 4), round(difference.ci95[1], 4)),
        by=dict(_parts(own, tried)),
    )


def _parts(own: Labelled, tried: Tried) -> Iterator[tuple[str, float]]:
    """By kind and by size: name and AUROC."""
    good, damaged = own
    for which in (0, 1):
        names = np.array([drawn[which] for drawn in tried.drawn])
        for name in sorted(set(names.tolist())):
            yield name, round(auroc(good, damaged[names == name]), 4)


def _labelled(scores: Scores) -> Labelled:
    return np.array(scores.good), np.array(scores.damaged)

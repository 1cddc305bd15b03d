"""Held-out photos, as they are and with damage drawn on them, and what each look scores them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from ..evaluating.damage.drawn import Kind, Size
from ..evaluating.damage.goods import Goods
from ..features.extractor import BATCH_SIZE, FeatureExtractor
from ..photo.look import Shares
from .candidates import Candidate, cropping
from .trials import Trial, drawing_side, read_to_draw, with_damage


@dataclass
class Scores:
    """Of one look: of the good photos and of the damaged ones."""

    good: list[float] = field(default_factory=list)
    damaged: list[float] = field(default_factory=list)


@dataclass
class Tried:
    """What came out.

    Attributes:
        scores: one a candidate.
        drawn: kind and size of each damage, in the order of the scores.
    """

    scores: list[Scores]
    drawn: list[tuple[Kind, Size]] = field(default_factory=list)


def try_out(
    paths: Sequence[Path],
    candidates: Sequence[Candidate],
    extractor: FeatureExtractor,
    goods: Sequence[Goods],
    *,
    seed: int,
    max_pixels: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Tried:
    """Score each photo, good and damaged, by each candidate: the same damage for all.

    Args:
        paths: of held-out photos, two or more. extractor: of the whole photo.
        goods: where in each of the photos they are.

    Raises:
        ImageError: a photo cannot be read any more.
        NonFiniteScore: the network answered with NaN or infinity.
    """
    tried = Tried([Scores() for _ in candidates])
    views = {one.crop: extractor.looking(cropping(one.crop)) for one in candidates}
    side = max(drawing_side(view) for view in views.values())
    white = extractor.spec.preprocess.white_level
    images = (read_to_draw(path, side, white, max_pixels) for path in paths)
    trials = with_damage(images, goods, np.random.default_rng(seed))
    done = 0
    for batch in _batches(trials):
        for crop, view in views.items():
            _score(batch, view, crop, candidates, tried.scores)
        tried.drawn += [(one.drawn.kind, one.drawn.size) for one in batch if one.drawn is not None]
        done += sum(trial.drawn is None for trial in batch)
        progress(done, len(paths))
    return tried


def _score(
    batch: Sequence[Trial],
    view: FeatureExtractor,
    crop: Shares | None,
    candidates: Sequence[Candidate],
    scores: Sequence[Scores],
) -> None:
    """One pass for all candidates of a crop."""
    prepared = [view.prepare(trial.image) for trial in batch]
    answers = view.embed(prepared)
    for candidate, own in zip(candidates, scores, strict=True):
        if candidate.crop != crop:
            continue
        for trial, features, photo in zip(batch, answers, prepared, strict=True):
            kind = own.good if trial.drawn is None else own.damaged
            kind.append(candidate.score(features, photo))


def _batches(trials: Iterator[Trial]) -> Iterator[list[Trial]]:
    while batch := list(islice(trials, BATCH_SIZE)):
        yield batch

"""Held-out photos, as they are and with damage drawn on them, and what each look scores them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from ..building.reading import read_file
from ..evaluating.damage.drawn import KINDS, SIZES, Kind, Size, draw_damage
from ..evaluating.damage.goods import Goods
from ..evaluating.damage.pixels import Photo
from ..features.extractor import BATCH_SIZE, FeatureExtractor
from ..photo.images import DecodedImage
from ..photo.look import Shares
from .candidates import Candidate, cropping

# Damage is drawn at so many pixels a side at most, or what gives a crop twice the network's input:
# more would show nothing more. The good photos are scored at that size, too.
_SIDE, _LARGEST = 1024, 4096
# Damages drawn on each held-out photo, one of each size.
EACH = len(SIZES)


@dataclass
class Scores:
    """Of one look: of the good photos and of the damaged ones."""

    good: list[float] = field(default_factory=list)
    damaged: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """A photo to score; `damage` says what was drawn on it, None: nothing."""

    image: DecodedImage
    damage: tuple[Kind, Size] | None = None


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
    side = max(_side(view) for view in views.values())
    images = (_read(path, extractor, side, max_pixels) for path in paths)
    trials = _with_damage(images, goods, np.random.default_rng(seed))
    done = 0
    for batch in _batches(trials):
        for crop, view in views.items():
            _score(batch, view, crop, candidates, tried.scores)
        tried.drawn += [trial.damage for trial in batch if trial.damage is not None]
        done += sum(trial.damage is None for trial in batch)
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
            kind = own.good if trial.damage is None else own.damaged
            kind.append(candidate.score(features, photo))


def _side(view: FeatureExtractor) -> int:
    twice = 2 * view.spec.preprocess.input_size
    width, height = view.look.at_least((twice, twice)) or (twice, twice)
    return min(_LARGEST, max(_SIDE, width, height))


def _read(path: Path, extractor: FeatureExtractor, side: int, max_pixels: int) -> DecodedImage:
    """Decoded in full, then small enough to draw on."""
    white = extractor.spec.preprocess.white_level
    _, image = read_file(path, max_pixels=max_pixels, white_level=white)
    small = image.rgb.copy()
    small.thumbnail((side, side), Image.Resampling.BICUBIC)
    return replace(image, rgb=small)


def _with_damage(
    images: Iterator[DecodedImage], goods: Sequence[Goods], rng: np.random.Generator
) -> Iterator[Trial]:
    """Each photo good, then with a damage of each size; pieces come from the photo before it.

    The kinds take turns, so that each comes as often as any other.
    """
    kinds = cycle(KINDS)
    before: Photo | None = None
    for image, own in zip(images, goods, strict=True):
        photo = np.asarray(image.rgb)
        yield Trial(image)
        for size in SIZES:
            donor = photo if before is None else before
            drawn = draw_damage(photo, donor, next(kinds), size, own, rng)
            yield Trial(replace(image, rgb=Image.fromarray(drawn.photo)), (drawn.kind, size))
        before = photo


def _batches(trials: Iterator[Trial]) -> Iterator[list[Trial]]:
    while batch := list(islice(trials, BATCH_SIZE)):
        yield batch

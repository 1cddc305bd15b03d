"""What photos' features say of how the photos were taken: tests, each against chance.

All compare mean features (`vectors_of`), in which one place, light and item leave their mark. Each
answers yes only where chance alone would do so once in a hundred times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.spatial.distance import cdist, pdist, squareform

from ..arrays import Doubles, Indices
from ..features.sample import Samples

CHANCE = 0.01
_TRIALS = 999
_COMPARED = 2_000  # photos, evenly taken, whose nearest ones are looked for
_DRAWN_CLOUDS = 199  # costlier than dealing anew: all distances are taken each time
_CLOUD = 400  # photos of a label, evenly taken, that such a cloud stands for
_FEW = 8  # photos that follow one another or share labels: fewer show no order and no clumps


def vectors_of(samples: Samples) -> Doubles:
    """(n, D): of each photo the mean of the cells that are looked at."""
    means = [sample.patches.mean(axis=0, dtype=np.float64) for sample in samples]
    return np.stack(means)


def distances(vectors: Doubles) -> Doubles:
    """(n, n), Euclidean, 0 on the diagonal."""
    return np.asarray(squareform(pdist(vectors)))


def look_alike(vectors: Doubles, labels: Sequence[str]) -> bool:
    """Whether photos of one label lie nearer to each other than chance would have it: how often a
    photo's nearest one has its label, against labels that are dealt anew (permutation test)."""
    chosen = _evenly(len(labels), _COMPARED)
    _, label_of = np.unique([labels[i] for i in chosen], return_inverse=True)
    if len(label_of) < 3:  # of two photos each is the other's nearest
        return False
    apart = cdist(vectors[chosen], vectors[chosen])
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    seen = (label_of[nearest] == label_of).mean()
    draw = np.random.default_rng(0)
    dealt = [draw.permutation(label_of) for _ in range(_TRIALS)]
    return _is_rare(sum((d[nearest] == d).mean() >= seen for d in dealt), _TRIALS)


def neighbours_alike(vectors: Doubles, sequences: Iterable[Indices]) -> bool:
    """Whether photos that follow one another are more alike than photos of one sequence are: the
    mean step from one to the next, against sequences that are shuffled (permutation test).

    Args:
        vectors: (n, D). sequences: indices of photos in the order in which they were taken.
    """
    # By what they hold, so that the order in which sequences are given changes no draw.
    known = sorted((s for s in sequences if len(s) > 2), key=lambda s: vectors[s[0]].tobytes())
    order = np.concatenate([np.empty(0, np.int64), *known])[:_COMPARED]
    of = np.repeat(np.arange(len(known)), [len(s) for s in known])[:_COMPARED]
    if len(order) < _FEW:
        return False
    apart, inside = distances(vectors[order]), of[1:] == of[:-1]

    def step(places: Indices) -> float:
        return float(apart[places[:-1], places[1:]][inside].mean())

    seen = step(np.arange(len(order)))
    draw = np.random.default_rng(0)
    shuffled = (np.lexsort((draw.random(len(order)), of)) for _ in range(_TRIALS))
    return _is_rare(sum(step(places) <= seen for places in shuffled), _TRIALS)


def in_clumps(vectors: Doubles, labels: Sequence[str]) -> bool:
    """Whether photos of one label come in clumps, and are no single cloud.

    The distance to the nearest photo of the label, beside the mean distance (Clark & Evans 1954),
    against clouds drawn from one normal distribution that has the label's own variances, as
    SigClust draws them (Liu et al. 2008, J. Am. Stat. Assoc. 103). Two clumps a label go
    unnoticed: one direction of many is all that they change.
    """
    names = np.asarray(labels)
    clouds = [vectors[names == label] for label in np.unique(names)]
    # By what they hold, so that the labels' names change no draw.
    clouds = sorted((c[_evenly(len(c), _CLOUD)] for c in clouds if len(c) >= _FEW), key=_content)
    if not clouds:
        return False
    draw = np.random.default_rng(0)
    spreads = [np.linalg.svd(c - c.mean(axis=0), compute_uv=False) for c in clouds]
    seen = float(np.mean([_nearness(cloud) for cloud in clouds]))
    as_near = 0
    for _ in range(_DRAWN_CLOUDS):
        drawn = (
            draw.normal(size=(len(c), len(s))) * s for c, s in zip(clouds, spreads, strict=True)
        )
        as_near += float(np.mean([_nearness(cloud) for cloud in drawn])) <= seen
    return _is_rare(as_near, _DRAWN_CLOUDS)


def _nearness(cloud: Doubles) -> float:
    """Median distance to the nearest, as a part of the mean distance; 1 where all are equal."""
    apart = distances(cloud)
    mean = apart.sum() / (len(cloud) * (len(cloud) - 1))
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)) / mean) if mean > 0 else 1.0


def _content(cloud: Doubles) -> bytes:
    return bytes(np.sort(cloud, axis=0)[0].tobytes())


def _is_rare(as_good: int, trials: int) -> bool:
    return (1 + as_good) / (1 + trials) <= CHANCE


def _evenly(n: int, most: int) -> Indices:
    return np.arange(0, n, max(1, -(-n // most)))

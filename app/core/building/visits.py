"""Which photos were taken in one visit: a handful of one item, in one place, within seconds.

What will be new tomorrow is a visit. Photos of one visit share place, light and item, so that one
of them, left out alone, still meets its like in the bank, which tomorrow's will not: alarms come
more often than promised. All photos of a SKU left out meet no such item at all, which tomorrow's
will: alarms come more seldom. So visits are what calibration leaves out, where they can be told.

    an order in which photos were taken (`taken.py`), if photos that follow one another look alike
        ─► a visit ends where the next photo is no more alike than strangers are
    no such order, but the photos (of a SKU, where SKUs are known) come in clumps
        ─► a visit is a clump, whose photos are more alike than strangers are

Strangers are photos that cannot be of one visit: far apart in the order, or of different SKUs;
where neither is known, all pairs of photos, for few pairs are of one visit. Two photos are alike if
they are nearer than 19 of 20 pairs of strangers. Nothing here is decided by the names' form, nor by
a number that fits one kind of goods.

The two faults are not of equal weight. A visit that is cut in two breaks the promise; two visits
taken for one make alarms a little more seldom, at the price of a little recall. So what is in doubt
stays together: cuts that leave alike photos on both sides are taken back, and where that does not
help there are no visits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, pdist

from ..arrays import Doubles, Indices
from .evidence import in_clumps, neighbours_alike
from .taken import Order

# Share of strangers' pairs that are nearer than photos of one visit may be; then what is tried
# where visits come out that go on into one another.
_NEARER = (0.05, 0.25, 0.5)
_BEYOND = 2  # a blurred or covered photo ends no visit: so many after it are asked, too
_STRANGERS = 2_000  # photos, evenly taken, that stand for all where all pairs would be too many

_CLUSTERED = 10_000  # photos of one SKU; the distances of more would take a gigabyte


@dataclass(frozen=True)
class Visits:
    """The visit of each photo.

    Attributes:
        of: (n,) its number, from 0 in the photos' order.
        by: what told them apart, as `the numbers in their names`.
    """

    of: Indices
    by: str

    @property
    def count(self) -> int:
        return len(np.unique(self.of))


def find_visits(
    vectors: Doubles, orders: Iterable[Order], skus: Sequence[str] | None
) -> Visits | None:
    """Photos' visits, if their likeness shows any.

    Args:
        vectors: (n, D), `evidence.vectors_of`. orders: the best witness first.
        skus: the photos' SKUs, where known; a visit is to one of them.

    Returns:
        None: nothing is proven, or a SKU's visits cannot be told apart. One visit: the photos, of
        no known SKUs, follow one another as a single recording's do, or most of them.
    """
    found = _proven(vectors, orders, skus)
    if found is None or skus is not None:
        return found if found and found.count > len(set(skus or ())) else None
    # Without most photos nothing is learnt that those left out could be compared with.
    most = np.bincount(found.of).max() > len(found.of) / 2
    return Visits(np.zeros_like(found.of), found.by) if most else found


def _proven(vectors: Doubles, orders: Iterable[Order], skus: Sequence[str] | None) -> Visits | None:
    for order in orders:
        if neighbours_alike(vectors, order.sequences):
            return _in_turn(vectors, order, whole=skus is None)
    labels = np.asarray(skus or [""] * len(vectors))
    if np.unique(labels, return_counts=True)[1].max() > _CLUSTERED:
        return None
    if not in_clumps(vectors, labels.tolist()):
        return None
    return Visits(_numbered(_clumps(vectors, labels)), "their likeness alone")


def _in_turn(vectors: Doubles, order: Order, *, whole: bool) -> Visits | None:
    """Visits one after the other; `whole`: where none can be told apart, each sequence is one."""
    strangers = _far_apart(vectors, order.sequences)
    for share in _NEARER:
        near = float(np.quantile(strangers, share / _BEYOND**2))  # shared by the pairs asked
        visits = [_runs(vectors, row, near, order.begins) for row in order.sequences]
        if not _go_on(vectors, visits, order.begins):
            return _visits(len(vectors), (run for row in visits for run in row), order.by)
    return _visits(len(vectors), order.sequences, order.by) if whole else None


def _visits(photos: int, runs: Iterable[Indices], by: str) -> Visits:
    """A photo that is in none of the runs is a visit of its own."""
    of = np.arange(photos)
    for run in runs:
        of[run] = run[0]
    return Visits(_numbered(of), by)


def _far_apart(vectors: Doubles, sequences: Iterable[Indices]) -> Doubles:
    """Distances of photos that are more than half of their sequence apart."""
    found = [np.empty(0)]
    for row in sequences:
        row = row[:: max(1, -(-len(row) // _STRANGERS))]
        half = (len(row) + 1) // 2
        apart = cdist(vectors[row[:-half]], vectors[row[half:]])
        found.append(apart[np.triu_indices_from(apart)])
    return np.concatenate(found)


def _runs(vectors: Doubles, row: Indices, near: float, begins: frozenset[int]) -> list[Indices]:
    """A sequence, cut where no photo before looks like one after."""
    cuts = []
    for place in range(1, len(row)):
        before = row[max(0, place - _BEYOND) : place]
        after = row[place : place + _BEYOND]
        goes_on = (cdist(vectors[before], vectors[after]) < near).any()
        if int(row[place]) in begins or not goes_on:
            cuts.append(place)
    return np.split(row, cuts)


def _go_on(vectors: Doubles, visits: Sequence[Sequence[Indices]], begins: frozenset[int]) -> bool:
    """Whether visits that follow one another, without a pause, are more alike than others are."""
    means: list[Doubles] = []
    rows: list[list[int]] = []
    for runs in visits:
        rows.append([])
        for run in runs:
            if int(run[0]) in begins:
                rows.append([])
            rows[-1].append(len(means))
            means.append(vectors[run].mean(axis=0))
    return neighbours_alike(np.stack(means), [np.array(row, dtype=np.int64) for row in rows])


def _clumps(vectors: Doubles, skus: np.ndarray) -> Indices:
    """By average linkage within each SKU, up to the distance of strangers."""
    chosen = np.arange(0, len(skus), max(1, -(-len(skus) // _STRANGERS)))
    strangers = skus[chosen][:, None] != skus[chosen][None, :]
    if not strangers.any():
        strangers = ~np.eye(len(chosen), dtype=np.bool_)
    near = np.quantile(cdist(vectors[chosen], vectors[chosen])[strangers], _NEARER[0])
    of = np.empty(len(skus), dtype=np.int64)
    for sku in np.unique(skus):
        photos = np.flatnonzero(skus == sku)
        clumps = np.zeros(1, dtype=np.int64)
        if len(photos) > 1:
            clumps = fcluster(linkage(pdist(vectors[photos]), "average"), near, "distance")
        for clump in np.unique(clumps):
            of[photos[clumps == clump]] = photos[clumps == clump][0]
    return of


def _numbered(of: Indices) -> Indices:
    return np.asarray(np.unique(of, return_inverse=True)[1], dtype=np.int64)

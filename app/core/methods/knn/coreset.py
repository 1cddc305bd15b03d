"""Greedy k-centre: the few patches that stand for all of them (build only).

The rule is Gonzalez's farthest-first traversal (Theor. Comput. Sci. 38, 1985), which PatchCore
(Roth et al., CVPR 2022, arXiv:2106.08265) uses for memory banks: begin anywhere, then always add
the vector that lies farthest from those already chosen. The covering radius is at most twice the
best possible.

Written as a loop, every pick reads all N vectors to do little arithmetic with each. Here the picks
are the same, made in blocks: distances to the nearest centre only ever fall, so as long as the
farthest vector of a block of candidates is farther than everything *outside* the block was when the
block was formed, it is the next pick, and only the block's own distances are needed to know. All
picks of a block then reach the N vectors in one matrix product, which is bound by arithmetic.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ...arrays import Floats, Indices
from ...errors import BankError

Progress = Callable[[int, int], None]

BLOCK = 2048  # candidates looked at together: more per pass, but block² distances to compute
ROWS = 4096  # vectors whose nearest centre is sought together
# Distances per matrix product. So few stay in the processor's cache; fewer would mean more
# products, and where another process keeps a core busy, threads wait for one another after each.
CELLS = 2**20
CHOSEN = -1.0  # below every distance: a chosen vector is never the farthest, nor is its duplicate


@dataclass(frozen=True)
class _Points:
    """Points in the space where distances are taken.

    Attributes:
        values: (N, D) float32, shifted to mean 0.
        norms: (N,) float32, squared Euclidean norms of `values`.
    """

    values: torch.Tensor
    norms: torch.Tensor

    @classmethod
    def of(cls, values: torch.Tensor) -> "_Points":
        norms = values.new_empty(len(values))
        for part in _parts(len(values), ROWS):  # at once, the products would be another (N, D)
            norms[part] = values[part].square().sum(dim=1)
        return cls(values, norms)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, which: slice | torch.Tensor) -> "_Points":
        return _Points(self.values[which], self.norms[which])

    def relative_distances(self, centres: "_Points") -> torch.Tensor:
        """‖x − c‖² − ‖x‖² = ‖c‖² − 2·x·c for all pairs: (N, M) float32, enough to rank centres."""
        return torch.addmm(centres.norms, self.values, centres.values.T, alpha=-2)


def greedy_k_center(
    vectors: Floats,
    size: int,
    *,
    seed: int,
    projection_dims: int | None = None,
    progress: Progress | None = None,
    device: torch.device | str = "cpu",
) -> Indices:
    """The farthest-first traversal of `vectors`, `size` steps long.

    Picks are those of the textbook loop, ties going to the lower index; a shorter coreset is the
    beginning of a longer one. Duplicates are taken only when nothing else is left, and always
    distinct indices are returned. Distances come from float32 products, exact to about 1e-3 of the
    vectors' spread: below that, which of two near-duplicates comes first is left to rounding.

    Args:
        vectors: (N, D) float32.
        size: how many to choose; more than N means all N.
        seed: draws the first pick, and the projection if there is one.
        projection_dims: take distances after a Gaussian random projection to so many dimensions.
            Off by default: it saves time, but the projection misjudges the very distances that
            are ranked, and the covering radius grows by several per cent.
        progress: called with (chosen so far, size) after each block.
        device: where the distances are computed. Peak memory there is one copy of `vectors`.

    Returns:
        (min(size, N),) int64 indices into `vectors`, in order of selection.

    Raises:
        BankError: nothing to choose from or to choose, or values NaN, infinite or beyond float32
            once squared.
        ValueError: `vectors` is not two-dimensional.
    """
    if size < 1:
        raise BankError(f"a coreset needs at least one vector, not {size}")
    values = _shifted(vectors, checked_mean(vectors))
    rng = np.random.default_rng(seed)
    first = int(rng.integers(len(values)))
    if projection_dims is not None and projection_dims < values.shape[1]:
        values = values @ _projection(values.shape[1], projection_dims, rng)
    points = _Points.of(values.to(device))
    if not (4 * points.norms).isfinite().all():  # no squared distance exceeds 4 · max ‖x‖²
        raise BankError("the vectors' values are too large to take distances in float32")
    return _traverse(points, first, min(size, len(points)), progress)


def covering_radius(vectors: Floats, centres: Floats, device: torch.device | str = "cpu") -> float:
    """The largest distance from one of `vectors` (N, D) to the nearest of `centres` (M, D).

    Euclidean. The nearest centre is found by matrix products, the distance to it by differences, so
    a radius of 0 comes out as 0.

    Raises:
        BankError: either is empty or has NaN or infinite values.
        ValueError: either is not two-dimensional, or they differ in D.
    """
    mean = checked_mean(vectors)
    checked_mean(centres)  # for its checks
    if vectors.shape[1] != centres.shape[1]:
        raise ValueError(f"vectors {vectors.shape}, centres {centres.shape}: dimensions differ")
    points = _Points.of(_shifted(vectors, mean).to(device))
    around = _Points.of(_shifted(centres, mean).to(device))
    return max(_largest_distance(points[part], around) for part in _parts(len(points), ROWS))


def checked_mean(vectors: Floats) -> Floats:
    """The mean of (N, D) vectors: (D,) float32. Refuses what no coreset can be made of."""
    if vectors.ndim != 2:
        raise ValueError(f"vectors of shape (N, D) are needed, not {vectors.shape}")
    if vectors.size == 0:
        raise BankError("no vectors to choose from")
    with np.errstate(invalid="ignore"):  # ∞ − ∞ is reported below
        mean = vectors.mean(axis=0, dtype=np.float64)  # in float64, only NaN and ∞ give those
    if not np.isfinite(mean).all():
        raise BankError("the vectors have NaN or infinite values")
    return np.asarray(mean, np.float32)


def _shifted(vectors: Floats, mean: Floats) -> torch.Tensor:
    """A copy about the mean: an offset common to all would cost the distances' digits."""
    return torch.from_numpy(np.subtract(vectors, mean, dtype=np.float32))


def _projection(dims: int, projected: int, rng: np.random.Generator) -> torch.Tensor:
    """A Gaussian random projection (Johnson and Lindenstrauss 1984): (dims, projected) float32."""
    matrix = rng.standard_normal((dims, projected), dtype=np.float32)
    return torch.from_numpy(matrix / np.sqrt(np.float32(projected)))


def _traverse(points: _Points, first: int, size: int, progress: Progress | None) -> Indices:
    chosen = np.empty(size, np.int64)
    nearest = torch.full_like(points.norms, torch.inf)  # (N,) squared distance to nearest centre
    picks = torch.tensor([first], device=nearest.device)
    done = 0
    while True:
        chosen[done : done + len(picks)] = picks.cpu().numpy()
        done += len(picks)
        if progress is not None:
            progress(done, size)
        if done == size:
            return chosen
        _lower(nearest, points, points[picks])
        nearest[picks] = CHOSEN
        picks = _next_picks(nearest, points, size - done)


def _lower(nearest: torch.Tensor, points: _Points, centres: _Points) -> None:
    """Lets new centres lower the distances `nearest` (N,), in place."""
    for part in _parts(len(points), max(1, CELLS // len(centres))):
        some = points[part]
        reached = some.relative_distances(centres).amin(dim=1).add_(some.norms).clamp_(min=0)
        torch.minimum(nearest[part], reached, out=nearest[part])


def _next_picks(nearest: torch.Tensor, points: _Points, limit: int) -> torch.Tensor:
    """The next picks of the traversal, as many as one block can vouch for: at least 1."""
    farthest = torch.topk(nearest, min(BLOCK + 1, len(nearest)), sorted=False)
    top, outside = float(farthest.values.max()), float(farthest.values.min())
    if top > outside:
        block = farthest.indices[farthest.values > outside].sort().values
    else:  # more ties than a block holds: those with the lowest indices come first
        block = (nearest == top).nonzero().squeeze(1)[:BLOCK]
    candidates = points[block]
    squared = candidates.relative_distances(candidates).add_(candidates.norms[:, None])
    between = squared.clamp_(min=0).cpu().numpy()  # (B, B)
    left = nearest[block].cpu().numpy()  # (B,)
    picks: list[int] = []
    while len(picks) < limit:
        pick = int(left.argmax())
        # Equal to `outside` is not enough: a vector out there could have the lower index.
        if not (left[pick] > outside or left[pick] == top):
            break
        picks.append(pick)
        np.minimum(left, between[pick], out=left)
        left[pick] = CHOSEN
    return block[picks]


def _largest_distance(points: _Points, centres: _Points) -> float:
    """max over `points` of the Euclidean distance to the nearest of `centres`."""
    nearest = torch.full_like(points.norms, torch.inf)
    where = torch.zeros(len(points), dtype=torch.int64, device=nearest.device)
    for part in _parts(len(centres), max(1, CELLS // len(points))):
        values, indices = points.relative_distances(centres[part]).min(dim=1)
        where = torch.where(values < nearest, indices + part.start, where)
        nearest = torch.minimum(nearest, values)
    return float((points.values - centres.values[where]).norm(dim=1).max())


def _parts(count: int, step: int) -> Iterator[slice]:
    return (slice(start, start + step) for start in range(0, count, step))

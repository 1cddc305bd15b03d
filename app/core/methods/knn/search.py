"""From a photo's patches to their scores: exactly, or through inverted lists where that is enough.

A photo's score is the mean of its few highest patch scores. Reading only the nearest list or two
gives every patch a distance that is never too small. The highest of them are then searched again in
many lists, as are those that rise to the top in their stead, until all of the highest are thorough
ones. What was searched thoroughly is a few per cent of the patches; for the others, which stay
below, the map shows the bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import spearmanr

from ...arrays import Doubles, Floats
from ..scoring import Scoring
from .bank import InvertedLists, MemoryBank

# Below so many vectors lists gain nothing.
SMALLEST_LISTED = 1024
# The thorough search starts with so many lists, and takes twice as many until the image scores keep
# the order of the exact ones to this rank correlation.
_THOROUGH = 16
LEAST_RANK_CORRELATION = 0.999
# Patches times lists whose nearness is held at once, 256 MiB; beyond it the search is exact.
_MOST_NEARNESSES = 1 << 26
# The order of fewer photos than this says nothing.
FEWEST_PHOTOS = 8


class SearchPlan(BaseModel):
    """How a bank is searched, and how near that came to the exact search when it was built.

    Attributes:
        kind: `exact`, or `lists`: see the top of this module.
        lists, probes, thorough_probes: of `lists`: how many there are, and how many are read for
            every patch and for the highest ones.
        rank_correlation: Spearman's, of image scores, between this search and the exact one.
        largest_deviation: of these image scores, relative to the exact ones.
        images: good photos on which both were measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["exact", "lists"] = "exact"
    lists: int = Field(default=0, ge=0)
    probes: int = Field(default=0, ge=0)
    thorough_probes: int = Field(default=0, ge=0)
    rank_correlation: float = Field(default=1.0, ge=-1.0, le=1.0)
    largest_deviation: float = Field(default=0.0, ge=0.0)
    images: int = Field(default=0, ge=0)


EXACT = SearchPlan()


@dataclass(frozen=True)
class PatchSearch:
    """Scores patches against one bank; safe to share between threads."""

    bank: MemoryBank
    k: int = 1
    plan: SearchPlan = EXACT
    lists: InvertedLists | None = None

    def patch_scores(self, patches: Floats, highest: int, weights: Floats | None = None) -> Floats:
        """(P, D) float32 patches of one photo -> (P,) float32 mean distances to k neighbours.

        Args:
            highest: so many of the highest are thorough ones.
            weights: (P,) by which the highest are chosen, at most 1; not applied to the scores.

        Raises:
            BankError: patches of another dimension.
        """
        too_many = self.lists is not None and len(patches) * len(self.lists) > _MOST_NEARNESSES
        if self.lists is None or too_many or patches.shape[1] != self.bank.dimensions:
            return self.exact(patches)
        nearness = self.lists.nearness(patches)
        scores = self.lists.nearest(patches, nearness, self.plan.probes)
        thorough = np.zeros(len(patches), dtype=bool)
        by = np.float32(1) if weights is None else weights
        while not thorough[top := _highest(scores * by, highest)].all():
            # With those that come next, which will be needed when some of the highest fall. Of
            # equal scores the two may be other ones: `top` itself must be among them.
            ahead = np.union1d(top, _highest(scores * by, highest + highest // 2))
            todo = ahead[~thorough[ahead]]
            scores[todo] = self.lists.nearest(
                patches[todo], nearness[todo], self.plan.thorough_probes
            )
            thorough[todo] = True
        return scores

    def exact(self, patches: Floats) -> Floats:
        """The same by the exact search."""
        distances, _ = self.bank.search(patches, self.k)  # (P, k)
        return np.asarray(distances.mean(axis=1, dtype=np.float32))


def plan_search(
    bank: MemoryBank,
    scoring: Scoring,
    photos: Iterable[Floats],
    seed: int,
    *,
    weights: Sequence[Floats | None] | None = None,
    of: Sequence[int | None] | None = None,
) -> PatchSearch:
    """The search for the nearest of a bank's patches, measured against the exact one.

    Args:
        scoring: how a photo's patches make its score, which must keep its order.
        photos: (P, D) float32 patches of good photos, a few dozen; with too few to compare the
            searches it is the exact one.
        seed: of the lists' k-means. weights: (P,) of each photo's patches; None: all alike.
        of: how many patches each whole photo has, where not all are looked at.
    """
    exact = PatchSearch(bank)
    if len(bank) < SMALLEST_LISTED:
        return exact
    sample = list(photos)
    counts, wholes = weights or [None] * len(sample), of or [None] * len(sample)
    if len(sample) < FEWEST_PHOTOS:
        return exact

    def scores(search: PatchSearch) -> Doubles:
        found = []
        for patches, count, whole in zip(sample, counts, wholes, strict=True):
            raw = search.patch_scores(patches, scoring.counted(len(patches), whole), count)
            found.append(scoring.image_score(raw if count is None else raw * count, whole))
        return np.array(found)

    wanted = scores(exact)
    # About 4·√N lists: the matrix product with the centroids costs a fraction of a look into lists.
    lists = InvertedLists.of(bank, 1 << round(np.log2(4 * np.sqrt(len(bank)))), seed)
    thorough = _THOROUGH
    while thorough < len(lists):
        plan = SearchPlan(
            kind="lists", lists=len(lists), probes=1, thorough_probes=thorough, images=len(sample)
        )
        search = PatchSearch(bank, 1, plan, lists)
        found = scores(search)
        correlation = _rank_correlation(found, wanted)
        if correlation >= LEAST_RANK_CORRELATION:
            deviation = float(np.max(np.abs(found - wanted) / np.maximum(wanted, 1e-12)))
            measured = {"rank_correlation": correlation, "largest_deviation": round(deviation, 9)}
            return replace(search, plan=plan.model_copy(update=measured))
        thorough *= 2
    return exact


def _rank_correlation(found: Doubles, wanted: Doubles) -> float:
    if np.array_equal(found, wanted):
        return 1.0
    if np.ptp(found) == 0 or np.ptp(wanted) == 0:  # there is no order to keep
        return 0.0
    correlation = float(spearmanr(found, wanted).statistic)
    return round(correlation, 6) if np.isfinite(correlation) else 0.0


def _highest(scores: Floats, count: int) -> npt.NDArray[np.intp]:
    count = min(count, len(scores))
    return np.argpartition(scores, -count)[-count:]

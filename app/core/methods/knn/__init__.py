"""The memory bank: features of good photos, and how far a photo's are from the nearest of them.

A photo's cells (one for a global method, a grid of patches else) are vectors. The bank keeps those
of good photos; a cell's score is the mean Euclidean distance to its k nearest. Global features are
the *goods* and *carpet* works' way, patches that of PatchCore (Roth et al. 2022, arXiv:2106.08265).

method.py              Knn, the method: fit (which vectors are kept), score, load. Read it first.
bank.py                MemoryBank: (N, D) vectors and the exact distances to them, the one place
                       where a root is taken; InvertedLists: the same vectors in lists around
                       centroids, held in bytes, for a search that reads only the nearest lists.
search.py              PatchSearch: which patches are searched how thoroughly, so that the photo's
                       score is the exact one or a little above; plan_search measures that on good
                       photos, and uses lists only if the ranking of good photos stays the same.
coreset.py             greedy k-centre: the few patches that stand for all of them.
streaming_coreset.py   the same for more patches than memory holds.

What is exact and what is not:
- Distances are always measured between the vectors as they are, in float32. Lists and bytes decide
  only which vector is measured; a distance is never too small, so that no defect is missed.
- The highest patches, which make the photo's score, are searched in many lists; the others show a
  bound that lies below them.
- A bank with fewer than 1,024 vectors, or with k > 1, is searched exactly.

Calibration: where the bank holds one vector per photo, each photo is scored by the others (its
group left out); else folds are left out, and each fold's bank is searched exactly.
"""

from .method import Knn, KnnSettings

__all__ = ["METHOD", "Knn", "KnnSettings"]

METHOD = Knn

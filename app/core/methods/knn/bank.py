"""MemoryBank: embeddings of good images, and a query's Euclidean distances to its neighbours.

InvertedLists: the same vectors sorted into lists around centroids, for a search that reads only
the lists nearest to a query.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional

from ...arrays import Floats, Indices
from ...errors import BankError

Lists = npt.NDArray[np.int32]

# What the centroids miss of the best ones costs a little speed, never an answer.
_KMEANS_ROUNDS, _KMEANS_SAMPLE = 8, 64
# FAISS's own number, of bytes.
_COMPARED_AT_ONCE = 32
# So many vectors are turned to bytes at a time, which bounds the memory that takes.
_ADDED_AT_ONCE = 16_384
# So many vectors of the least distance by their bytes are measured anew in a thorough search: the
# nearest is among them though another one's bytes may be nearer.
_NEARBY = 4
# Square of the mean's length, in mean squares of the centroids' distances from it, beyond which the
# mean is taken from the queries. (2.5 on ResNet18's patches of solar cells.)
_FAR = 8.0
# FAISS's number for a search whose queries several threads share, and from how many comparisons on
# it gains more than waking these threads takes.
_OVER_QUERIES, _PARALLEL_FROM = 3, 50_000


class MemoryBank:
    """`(N, D) float32` vectors and exact nearest neighbours among them.

    Raises:
        BankError: no vectors, or NaN or infinite values among them.
    """

    def __init__(self, vectors: Floats) -> None:
        if vectors.ndim != 2 or 0 in vectors.shape:
            raise BankError(f"a memory bank needs (N, D) vectors, N and D ≥ 1, got {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise BankError("the memory bank has NaN or infinite values")
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    @property
    def dimensions(self) -> int:
        return int(self.vectors.shape[1])

    def search(self, queries: Floats, k: int) -> tuple[Floats, Indices]:
        """The k nearest vectors of each query: Euclidean distances and indices, nearest first.

        Args:
            queries: (P, D) float32, as the feature extractor gives them.
            k: at most N; larger values are clipped.

        Returns:
            distances (P, k) float32 and indices (P, k) int64.

        Raises:
            BankError: queries of another dimension.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dimensions:
            raise BankError(f"queries are {queries.shape}, the bank has D = {self.dimensions}")
        k = min(k, len(self))
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        _, indices = faiss.knn(queries, self.vectors, k)  # exact, and needs no copy in an index
        distances = self.distances(queries, indices)
        if k == 1:
            return distances, indices
        order = np.argsort(distances, axis=1, kind="stable")
        return np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)

    def distances(self, queries: Floats, indices: Indices) -> Floats:
        """(P, D) float32 queries and the (P, k) int64 indices of k vectors for each -> (P, k)
        float32 distances ‖q − v‖; infinity for the index −1, and where the square exceeds float32.

        What searches answer themselves is squared, and for larger batches comes from
        ‖q‖² + ‖v‖² − 2q·v, which loses all digits where the distance is small and depends on the
        batch size. The root is taken here and nowhere else.

        Raises:
            BankError: queries of another dimension or number; FAISS would read beyond them.
        """
        if queries.shape != (len(indices), self.dimensions):
            raise BankError(f"queries are {queries.shape}, the bank has D = {self.dimensions}")
        squared = np.empty(indices.shape, dtype=np.float32)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        indices = np.ascontiguousarray(indices, dtype=np.int64)
        given = [faiss.swig_ptr(array) for array in (squared, queries, self.vectors, indices)]
        faiss.fvec_L2sqr_by_idx(*given, self.dimensions, *indices.shape)  # type: ignore[attr-defined]
        return np.asarray(np.sqrt(squared, out=squared))

    def distances_to_all(self, queries: Floats) -> Floats:
        """(P, D) float32 -> (P, N) float32: to every vector of the bank, in its order."""
        every = np.arange(len(self), dtype=np.int64)
        return self.distances(queries, np.tile(every, (len(queries), 1)))


class InvertedLists:
    """A bank's vectors in L lists, each vector in that of its nearest centroid (FAISS IVF).

    The lists hold the vectors in bytes, which are compared in a third of the time of floats; the
    distance to what was found is then measured anew. Reading fewer than L lists, or this rounding,
    may miss the nearest vector: the distance is then that of another one, and never too small.
    """

    def __init__(self, bank: MemoryBank, centroids: Floats, assignments: Lists) -> None:
        """Takes (L, D) float32 centroids and the (N,) int32 list of each of the bank's vectors.

        Raises:
            BankError: shapes or lists that do not fit the bank; values that are not finite; a list
                without vectors, which a photo could meet and find nothing.
        """
        if centroids.shape[1:] != (bank.dimensions,) or assignments.shape != (len(bank),):
            raise BankError("the bank's centroids or lists do not have its shape")
        lists = len(centroids)
        if not np.isfinite(centroids).all():
            raise BankError("the bank's centroids are not finite")
        if not np.array_equal(np.unique(assignments), np.arange(lists)):
            raise BankError("the bank's lists are not those of its centroids, each with a vector")
        self.bank = bank
        self.centroids = np.ascontiguousarray(centroids, dtype=np.float32)
        self.assignments = np.ascontiguousarray(assignments, dtype=np.int32)
        self._coarse = _Coarse(self.centroids)
        self._bytes = _Bytes(bank.vectors)
        # FAISS wants one; which lists are near is asked of `_coarse`, never of it.
        self._quantizer = faiss.IndexFlatL2(self._bytes.width)
        self._index = self._empty()
        for start in range(0, len(bank), _ADDED_AT_ONCE):
            part = slice(start, start + _ADDED_AT_ONCE)
            codes = self._bytes.of(bank.vectors[part])
            wanted = self.assignments[part].astype(np.int64)
            self._index.add_core(len(codes), faiss.swig_ptr(codes), None, faiss.swig_ptr(wanted))
        self._views: dict[tuple[int, bool], Any] = {}

    @classmethod
    def of(cls, bank: MemoryBank, lists: int, seed: int) -> InvertedLists:
        """Lists around the centroids of a k-means with an explicit seed; fewer than asked for
        where vectors are equal, so that no list is empty."""
        kmeans: Any = faiss.Kmeans(
            bank.dimensions,
            lists,
            niter=_KMEANS_ROUNDS,
            seed=seed,
            min_points_per_centroid=1,
            max_points_per_centroid=_KMEANS_SAMPLE,
        )
        kmeans.train(bank.vectors)
        _, nearest = faiss.knn(bank.vectors, kmeans.centroids, 1)
        used, assignments = np.unique(nearest[:, 0], return_inverse=True)
        return cls(bank, kmeans.centroids[used], assignments.astype(np.int32))

    def __len__(self) -> int:
        return len(self.centroids)

    @property
    def nbytes(self) -> int:
        """What it holds beside the bank's own vectors: their bytes with an int64 each, centroids
        with those of the matrix product, and each vector's list."""
        codes = len(self.bank) * (self._bytes.width + 8)
        return int(codes + self.centroids.nbytes + self._coarse.nbytes + self.assignments.nbytes)

    def nearness(self, queries: Floats) -> Floats:
        """(P, D) float32 -> (P, L): how near each list's centroid is; larger is nearer."""
        return self._coarse.nearness(queries)

    def nearest(self, queries: Floats, nearness: Floats, probes: int) -> Floats:
        """(P,) float32 distances to the nearest vector in the `probes` nearest lists of each of
        the (P, D) float32 queries; infinity where its square is too large for a float32."""
        probes = min(probes, len(self))
        if probes == 1:
            lists = nearness.argmax(axis=1)[:, None]
        else:
            lists = np.argpartition(nearness, -probes, axis=1)[:, -probes:]
        compared = lists.size * len(self.bank) / len(self)
        view = self._view(probes, parallel=compared >= _PARALLEL_FROM)
        nearby = 1 if probes == 1 else _NEARBY
        _, found = view.search_preassigned(self._bytes.of(queries), nearby, lists, None)
        return np.asarray(self.bank.distances(queries, found).min(axis=1))

    def _view(self, probes: int, *, parallel: bool) -> Any:
        """The index, set to so many probes: a setting of the index, which threads share."""
        if (probes, parallel) not in self._views:
            view = self._empty()
            view.replace_invlists(self._index.invlists, False)
            view.ntotal, view.nprobe = self._index.ntotal, probes
            view.parallel_mode = _OVER_QUERIES if parallel else 0
            self._views[probes, parallel] = view
        return self._views[probes, parallel]

    def _empty(self) -> Any:
        # Any: FAISS's published types know its C++ signatures, not the Python ones in their place
        index: Any = faiss.IndexIVFScalarQuantizer(
            self._quantizer,
            self._bytes.width,
            len(self),
            faiss.ScalarQuantizer.QT_8bit_direct,
            faiss.METRIC_L2,
            False,  # the vectors themselves, not their differences from the centroid
        )
        index.is_trained = True
        return index


class _Bytes:
    """Vectors in whole steps from 0 to 255, of one size for all dimensions.

    The differences between two vectors are then those between their bytes, times the step: bytes
    have the same neighbours, up to the rounding. FAISS compares 32 of them at once, or else one by
    one as floats: zeros fill them up.

    Attributes:
        width: bytes of a vector, D or a little more.
    """

    def __init__(self, vectors: Floats) -> None:
        self.width = -(-vectors.shape[1] // _COMPARED_AT_ONCE) * _COMPARED_AT_ONCE
        low, high = float(vectors.min()), float(vectors.max())
        self._per_value = 255 / max(high - low, float(np.finfo(np.float32).tiny) * 255)
        self._first = torch.tensor(0.5 - low * self._per_value, dtype=torch.float32)

    @torch.inference_mode()
    def of(self, vectors: Floats) -> Floats:
        """(P, D) float32 -> (P, width) bytes as float32, which is how FAISS takes them.

        What lies beyond the bank's own values gets their end, and what is no number some byte: the
        distance, measured anew, will show it.
        """
        steps = torch.add(self._first, _tensor(vectors), alpha=self._per_value)
        # With the half in `_first`: rounded. Not all of FAISS's loops cut off what is behind the
        # point; this must be whole.
        steps.clamp_(0, 255).floor_()
        missing = self.width - steps.shape[1]
        return (functional.pad(steps, (0, missing)) if missing else steps).numpy()


def _tensor(array: Floats) -> torch.Tensor:
    """The same numbers; copied where they are read-only (in a file), of which torch would warn."""
    return torch.from_numpy(np.require(array, requirements="W"))


class _Coarse:
    """Which centroids are near: one matrix product, in bfloat16 where the CPU computes in it.

    argmin ‖q − c‖² = argmax q·d − (‖d‖²/2 + m·d) = argmax (q − m)·d − ‖d‖²/2 with d = c − m for any
    m; with the centroids' mean for m, what is rounded is small. A rounding can only choose another
    list that is about as near. The first form saves a pass over the queries; the second is for
    vectors that lie far from zero on one side.
    """

    def __init__(self, centroids: Floats) -> None:
        points = torch.from_numpy(centroids)
        fast = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        self._dtype = torch.bfloat16 if fast else torch.float32
        mean = points.mean(dim=0)
        points = points - mean
        squares = points.square().sum(dim=1)
        self._points = points.T.contiguous().to(self._dtype)  # (D, L)
        self._offsets = squares / 2
        self._mean: torch.Tensor | None = None
        if mean.square().sum() > _FAR * squares.mean():
            self._mean = mean
        else:
            self._offsets += points @ mean

    @property
    def nbytes(self) -> int:
        return int(self._points.nbytes + self._offsets.nbytes)

    @torch.inference_mode()
    def nearness(self, queries: Floats) -> Floats:
        given = _tensor(queries)
        if self._mean is not None:
            given = given - self._mean
        found = (given.to(self._dtype) @ self._points).float().sub_(self._offsets)
        return found.numpy()  # whose argmax takes a sixth of torch's time

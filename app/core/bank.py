"""MemoryBank: embeddings of good images, and a query's Euclidean distances to its neighbours."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt

from app.core.errors import BankError

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


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
        self._index = faiss.IndexFlatL2(vectors.shape[1])
        self._index.add(self.vectors)

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
        _, indices = self._index.search(queries, k)
        distances = self._distances(queries, indices)
        if k == 1:
            return distances, indices
        order = np.argsort(distances, axis=1, kind="stable")
        return np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)

    def _distances(self, queries: Floats, indices: Indices) -> Floats:
        """The neighbours' distances anew, as ‖q − v‖.

        FAISS answers squared distances, for larger batches through ‖q‖² + ‖v‖² − 2q·v, which
        loses all digits where the distance is small and depends on the batch size. The root
        is taken here and nowhere else.
        """
        distances = np.empty(indices.shape, dtype=np.float32)
        for column in range(indices.shape[1]):  # k is small; (P, D) at a time bounds the memory
            difference = queries - self.vectors[indices[:, column]]
            distances[:, column] = np.sqrt(np.einsum("pd,pd->p", difference, difference))
        return distances

"""Banks of patches by merge and reduce: one of all good images, and one without each fold.

Each fold's patches are reduced to a coreset of the final size; a bank is the coreset of the union
of its folds' coresets. So every patch is looked at once, however many folds there are, and the bank
that serves and the ones that calibrate it come about in the same way: a calibration score differs
from a score in service only by the fold that is missing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from app.core.bank import MemoryBank
from app.core.bank_rule import BankRule
from app.core.coreset import greedy_k_center
from app.core.features import Embedding
from app.core.spool import Spool
from app.core.streaming_coreset import StreamingCoreset

# 512 MiB of patches are reduced at a time: 445 photos of 784 patches × 384.
_BUFFER_BYTES = 512 << 20


class PatchBanks:
    """The folds' coresets of some spooled images, ready to be merged into banks."""

    def __init__(
        self,
        spool: Spool,
        folds: npt.NDArray[np.int64],
        rule: BankRule,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """Reduce each fold's patches; `folds` (N,) names each spooled image's fold."""
        self._rule = rule
        self._counts = np.zeros(int(folds.max()) + 1, dtype=np.int64)
        for image, fold in enumerate(folds.tolist()):
            self._counts[fold] += len(spool.patches(image))
        size = rule.size(self.patches)
        self._cores: list[Embedding] = []
        for fold in range(len(self._counts)):
            images = np.flatnonzero(folds == fold).tolist()
            self._cores.append(_reduced(spool, images, size, rule.seed))
            progress(fold + 1, len(self._counts))

    @property
    def patches(self) -> int:
        """How many patches the folds hold."""
        return int(self._counts.sum())

    def bank(self, without: int | None = None) -> MemoryBank:
        """The bank of all folds, or of all but one."""
        kept = [fold for fold in range(len(self._cores)) if fold != without]
        union = np.concatenate([self._cores[fold] for fold in kept])
        size = self._rule.size(int(self._counts[kept].sum()))
        return MemoryBank(union[greedy_k_center(union, size, seed=self._rule.seed)])


def _reduced(spool: Spool, images: list[int], size: int, seed: int) -> Embedding:
    patches = sum(len(spool.patches(image)) for image in images)
    width = spool.patches(images[0]).shape[1] * 4
    # Never more than there is to hold, never less than a reduction needs to free half of it.
    rows = max(min(_BUFFER_BYTES // width, patches), min(2 * size, patches), 2)
    coreset = StreamingCoreset(min(size, rows // 2), seed=seed, buffer_bytes=rows * width)
    for image in images:
        coreset.add(spool.patches(image))
    vectors, _ = coreset.finish(size)
    return vectors

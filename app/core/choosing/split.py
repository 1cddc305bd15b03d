"""Good photos -> those learnt from and those held out, whole groups each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_HELD_OUT = 1 / 3


def split(groups: Sequence[str], seed: int) -> tuple[list[int], list[int]]:
    """Indices of photos learnt from, two thirds or a little less, and of those held out.

    Args:
        groups: one name a photo. Where there are fewer than three, each photo stands alone.
    """
    names = list(groups) if len(set(groups)) >= 3 else [str(i) for i in range(len(groups))]
    different = sorted(set(names))
    order = np.random.default_rng(seed).permutation(len(different)).tolist()
    wanted, out, count = len(names) * _HELD_OUT, set[str](), 0
    for name in (different[i] for i in order):
        if count >= wanted or len(out) == len(different) - 1:
            break
        out.add(name)
        count += names.count(name)
    learnt = [i for i, name in enumerate(names) if name not in out]
    return learnt, [i for i, name in enumerate(names) if name in out]

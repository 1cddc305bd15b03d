"""Whether six digits are a SKU and a number within it (PKU-GoodsAD), or one running number.

Programs that cut a film into frames write running numbers of six digits, too, one after the other
or every thirtieth. What tells them apart is how the numbers go on from one prefix to the next:
running ones as they do within it, those of SKUs anew from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
from scipy.stats import binom

_PER_SKU = 1000
# A gap of so many times the widest within a prefix is no more than frames that were left out.
_GOES_ON = 3.0
# A SKU's first photo may be missing, and a few more: so many usual gaps from its start.
_START = 4.0
_MOST_START_ANEW = 0.8
_FEW_START_ANEW = 0.2
_CHANCE = 0.01


class Numbering(Enum):
    """What the numbers show."""

    SKU = "numbers start anew within each"
    RUNNING = "numbers run on from one to the next"
    UNCLEAR = "numbers do not show whether they start anew"


def read_numbering(numbers: Sequence[int]) -> Numbering:
    """What six-digit names are, of 0 to 999,999 each, any order, more than one prefix."""
    values = np.unique(np.asarray(numbers, dtype=np.int64))
    prefixes, within = np.divmod(values, _PER_SKU)
    gaps = np.diff(values)
    crosses = np.diff(prefixes) > 0
    if crosses.all():  # one photo a prefix
        return _of_single_photos(gaps, within)
    usual, widest = gaps[~crosses].mean(), gaps[~crosses].max()
    if gaps[crosses].max() <= _GOES_ON * widest:
        return Numbering.RUNNING
    # The first prefix begins at the start in any case.
    firsts = within[1:][crosses]
    near_start = 1 + _START * usual
    anew = int((firsts <= near_start).sum())
    by_chance = float(binom.sf(anew - 1, len(firsts), min(1.0, near_start / _PER_SKU)))
    if anew >= _MOST_START_ANEW * len(firsts) and by_chance <= _CHANCE:
        return Numbering.SKU
    if len(firsts) > 1 and anew <= _FEW_START_ANEW * len(firsts):
        return Numbering.RUNNING
    return Numbering.UNCLEAR


def _of_single_photos(gaps: np.ndarray, within: np.ndarray) -> Numbering:
    if len(gaps) > 1 and len(np.unique(gaps)) == 1 and len(np.unique(within)) > 1:
        return Numbering.RUNNING  # every 1,200th frame, say
    return Numbering.UNCLEAR

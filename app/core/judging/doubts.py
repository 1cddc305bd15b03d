"""What held-out scores alone say against a bank, before any photo of damage is seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .calibration import Calibration

_EQUAL = 1e-4  # of the largest score: the noise of float32 sums
_FAR = 3.0  # so many times the good photos' spread above the highest of the others is far


def doubts(calibration: Calibration) -> Iterator[str]:
    """Sentences for the person who builds, the gravest first; none for a bank as it should be."""
    scores = np.sort(calibration.scores.astype(np.float64))
    n, threshold, largest = len(scores), calibration.threshold, float(np.abs(scores).max())
    if np.ptp(scores) <= _EQUAL * largest:
        yield (
            f"all {n} good photos score the same when held out ({largest:.4g}): not usable. Likely "
            "cause: they are copies of each other, or nothing of them reaches the network (all "
            "black, all white). Try: look at them with `goodsguard explore`"
        )
    elif threshold <= _EQUAL * largest:
        yield (
            f"the threshold is {threshold:.4g}: whatever differs by a hair is called anomalous. "
            "Likely cause: train/good holds copies of the same photos. Try: take copies out"
        )
    elif (copies := int((scores <= _EQUAL * largest).sum())) > n / 10:
        yield (
            f"{copies} of {n} good photos score about 0 when held out: train/good holds their "
            "copies, and more false alarms than promised are likely. Try: take copies out"
        )
    yield from _far(scores, threshold)


def _far(scores: np.typing.NDArray[np.float64], threshold: float) -> Iterator[str]:
    """A threshold that few odd photos decide, or that no good photo comes near."""
    low, middle, high = np.quantile(scores, (0.25, 0.5, 0.75))
    far = high + _FAR * max(high - low, 0.1 * middle)
    odd = int((scores > far).sum())
    if threshold <= far or middle <= 0:
        return
    if odd:
        text = f"{odd} of {len(scores)} good photos score far above the others and set it there"
        cause = f"{text}: they may be odd or damaged"
    else:
        cause = f"no good photo comes near it (the highest scores {scores[-1]:.4g})"
    yield (
        f"the threshold {threshold:.4g} is {threshold / middle:.1f} times a good photo's score: "
        f"damage below it is missed. Likely cause: {cause}. Try: look for such photos with "
        "`goodsguard explore`, or a larger --alpha (`goodsguard threshold --dry-run --data ROOT` "
        "shows what it would catch)"
    )

"""Milliseconds a photo of several methods, timed in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import ImageError

TIMED = 50  # photos that are enough for a median


def milliseconds(
    inspectors: Mapping[str, Callable[[bytes], object]], photos: Sequence[Path]
) -> dict[str, float]:
    """Each method's median over the photos of the whole way, from a photo's bytes to its verdict.

    The methods take turns photo by photo, each of them first as often as the others: whatever else
    the machine does meets all alike. Who calls has warmed them up.

    Args:
        photos: those that cannot be read are left out.

    Returns:
        empty where none can be read.
    """
    names = list(inspectors)
    rounds: list[dict[str, float]] = []
    for index, path in enumerate(photos):
        first = index % len(names) if names else 0
        try:
            photo = path.read_bytes()
            turns = [*names[first:], *names[:first]]
            rounds.append({name: _timed(inspectors[name], photo) for name in turns})
        except (ImageError, OSError):
            continue
    return {n: float(np.median([times[n] for times in rounds])) for n in names} if rounds else {}


def _timed(inspect: Callable[[bytes], object], photo: bytes) -> float:
    start = time.perf_counter()
    inspect(photo)
    return (time.perf_counter() - start) * 1000

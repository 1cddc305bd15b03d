"""Contenders timed in turn, A B C A B C …: what else the machine does meets all of them alike.

A turn is a few calls, of which the first is dropped: it still has the caches that the contender
before it left. Figures to rely on are ratios within one round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

Turn = Callable[[int], Sequence[float]]  # number of calls -> milliseconds of each
Turns = list[list[float]]  # of one contender: per round, milliseconds of each call


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of `n` values."""

    median: float
    q1: float
    q3: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        q1, median, q3 = np.percentile(values, [25, 50, 75]).tolist()
        return cls(round(median, 4), round(q1, 4), round(q3, 4), len(values))


def timed(call: Callable[[], object]) -> Turn:
    """A contender of a function."""

    def turn(calls: int) -> list[float]:
        found = []
        for _ in range(calls):
            start = time.perf_counter()
            call()
            found.append((time.perf_counter() - start) * 1000)
        return found

    return turn


def in_turn(
    contenders: Mapping[str, Turn], rounds: int, calls: int, *, dropped: int = 1
) -> dict[str, Turns]:
    """Time every contender `rounds` × `calls` times, after a round that does not count."""
    found: dict[str, Turns] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, turn in contenders.items():
            times = list(turn(calls + dropped))[dropped:]
            if number > 0:
                found[name].append(times)
    return found


def spread(turns: Turns) -> dict[str, float]:
    """Of all calls, for a JSON file."""
    return asdict(Spread.of([ms for turn in turns for ms in turn]))


def ratio(turns: Turns, base: Turns) -> dict[str, float]:
    """How many times as long as `base`: per round, of the round's medians."""
    pairs = zip(turns, base, strict=True)
    return asdict(Spread.of([float(np.median(a) / np.median(b)) for a, b in pairs]))

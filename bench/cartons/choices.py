"""What is chosen by the seed and the names alone: which test photo gets which defect."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.cartons.defects import DEFECTS
from bench.cartons.source import sku_of


def number(seed: int, *parts: str) -> int:
    """A number that depends on the seed and the names alone, on any machine."""
    text = "/".join([str(seed), *parts]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def plan(paths: Sequence[Path], category: str, seed: int) -> dict[Path, str]:
    """Which test photo stays good and which gets which defect: half and half in every SKU.

    Defects go round in a fixed order within a SKU, so that each SKU shows most of them.
    """
    kinds: dict[Path, str] = {}
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        groups[sku_of(path)].append(path)
    turn = 0
    for sku in sorted(groups):
        group = sorted(groups[sku], key=lambda p: number(seed, category, p.name))
        half = (len(group) + 1) // 2
        kinds.update(dict.fromkeys(group[:half], "good"))
        for path in group[half:]:
            kinds[path] = list(DEFECTS)[turn % len(DEFECTS)]
            turn += 1
    return kinds

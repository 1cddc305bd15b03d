"""What a bank and its lists weigh in memory: loads them alone in this process and prints it.

python -m bench.resident BANK.npz        vectors, and centroids and list_of where there are any
"""

from __future__ import annotations

import json
import sys

import numpy as np

from app.core.methods.knn.bank import InvertedLists, MemoryBank
from bench.machine import resident_bytes


def main(file: str) -> None:
    with np.load(file) as stored:
        vectors = np.array(stored["vectors"])
        centroids, list_of = stored.get("centroids"), stored.get("list_of")
    # Everything that the first search would load and allocate is there before it is counted.
    InvertedLists.of(MemoryBank(vectors[:256]), 4, seed=0)
    before = resident_bytes() - vectors.nbytes
    bank = MemoryBank(vectors)
    exact = resident_bytes() - before
    lists = InvertedLists(bank, centroids, list_of) if centroids is not None else None
    print(json.dumps({"exact": exact, "with_lists": resident_bytes() - before if lists else None}))


if __name__ == "__main__":
    main(sys.argv[1])

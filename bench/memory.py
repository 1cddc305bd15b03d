"""Peak memory of one patch bank made of many images: the build's largest step.

Random patches through the real spool and coreset, as many as the photos asked for would give.

    python -m bench.memory --images 4000
"""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from app.cli import ThreadsOption, console
from app.core.features.sample import Sample
from app.core.features.spool import Spool
from app.core.methods.knn import KnnSettings
from app.core.methods.knn.method import bank_of_samples
from app.core.threads import set_threads

RESULTS = Path(__file__).parent / "results"


def main(
    images: Annotated[int, typer.Option(min=1, help="Photos.")] = 4000,
    side: Annotated[int, typer.Option(min=1, help="Patches per side of a photo's grid.")] = 28,
    dimensions: Annotated[int, typer.Option(min=1, help="Of a patch.")] = 384,
    vectors: Annotated[int, typer.Option(min=1, help="Of the bank.")] = 4000,
    threads: ThreadsOption = 0,
    out: Annotated[Path, typer.Option(help="Where memory.json goes.")] = RESULTS,
) -> None:
    """Fill a spool with random patches, make one bank, print the peak resident memory."""
    set_threads(threads)
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    with Spool() as spool:
        for _ in range(images):
            cells = rng.standard_normal((side, side, dimensions), dtype=np.float32)
            spool.append(Sample(cells, 0, 0, (side, side)))
        filled = time.perf_counter()
        bank = bank_of_samples(spool, KnnSettings(max_vectors=vectors))
    result = {
        "images": images,
        "patches": images * side * side,
        "dimensions": dimensions,
        "patches_gib": round(images * side * side * dimensions * 4 / 2**30, 2),
        "bank": len(bank),
        "peak_rss_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "seconds_spool": round(filled - start, 1),
        "seconds_coreset": round(time.perf_counter() - filled, 1),
    }
    console.print(result)
    out.mkdir(parents=True, exist_ok=True)
    (out / "memory.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)

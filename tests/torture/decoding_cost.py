"""What the worst files within the limits cost to decode: seconds of CPU and peak memory of each.

python -m tests.torture.decoding_cost [NAME ...] [--report DIR]
"""

from __future__ import annotations

import ctypes
import gc
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from app.core.errors import ImageError
from app.core.photo.images import decode
from app.core.photo.preprocess import Preprocess
from tests.torture.bombs import LARGE, STRUCTURES
from tests.torture.service import REPORT, Report, ReportOption

# What a photo may cost at most: twice the worst that was ever measured, for slower machines.
SECONDS = 6.0
PEAK_MB = 1200

# The rule that resizes the most: the shorter side first, then the centre.
_PREPROCESS = Preprocess(
    input_size=224, resize="shorter_side_crop", resize_size=232, mean=(0, 0, 0), std=(1, 1, 1)
)


def cost(data: bytes) -> dict[str, Any]:
    """Decode and prepare one file: outcome, seconds of CPU, MB of memory at the peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else memory that the last file left would be used again
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (Linux)
    before, start = _status("VmRSS"), time.process_time()
    try:
        _PREPROCESS.prepare(decode(data))
        outcome = "decoded"
    except ImageError as exc:
        outcome = type(exc).__name__
    seconds = time.process_time() - start
    return {
        "bytes": len(data),
        "outcome": outcome,
        "seconds": round(seconds, 2),
        "peak_mb": round(max(0.0, _status("VmHWM") - before)),
    }


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def main(
    names: Annotated[list[str] | None, typer.Argument()] = None,
    report: ReportOption = REPORT,
) -> None:
    """Measure all of them, or those named."""
    warnings.simplefilter("ignore")
    makers: dict[str, Callable[[], bytes]] = {**STRUCTURES, **LARGE}
    found = Report("decoding_cost", "What the worst files cost to decode")
    found.lines += ["| file | MB | seconds | peak MB | |", "|---|---|---|---|---|"]
    for name in names or makers:
        found.figures[name] = one = cost(makers[name]())
        found.lines.append(
            f"| {name} | {one['bytes'] / 1e6:.2f} | {one['seconds']} | {one['peak_mb']} "
            f"| {one['outcome']} |"
        )
        found.check(one["seconds"] <= SECONDS, f"{name}: {one['seconds']} s")
        found.check(one["peak_mb"] <= PEAK_MB, f"{name}: {one['peak_mb']} MB")
    found.conclude(report)


if __name__ == "__main__":
    typer.run(main)

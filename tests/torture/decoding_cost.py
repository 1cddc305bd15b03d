"""What the worst files within the limits cost to decode: seconds of CPU and peak memory of each.

python -m tests.torture.decoding_cost [--json FILE] [NAME ...]
"""

from __future__ import annotations

import gc
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from app.core.errors import ImageError
from app.core.images import decode
from app.core.preprocess import Preprocess
from tests.torture.bombs import LARGE, STRUCTURES

# The rule that resizes the most: the shorter side first, then the centre.
_PREPROCESS = Preprocess(
    input_size=224, resize="shorter_side_crop", resize_size=232, mean=(0, 0, 0), std=(1, 1, 1)
)


def cost(data: bytes) -> dict[str, Any]:
    """Decode and prepare one file: outcome, seconds of CPU, MB of memory at the peak."""
    gc.collect()
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
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    """Measure all of them, or those named."""
    warnings.simplefilter("ignore")
    makers: dict[str, Callable[[], bytes]] = {**STRUCTURES, **LARGE}
    results = {}
    for name in names or makers:
        results[name] = found = cost(makers[name]())
        typer.echo(
            f"{name:36} {found['bytes'] / 1e6:6.2f} MB  {found['seconds']:6.2f} s "
            f"{found['peak_mb']:6} MB  {found['outcome']}"
        )
    if json_file:
        json_file.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    typer.run(main)

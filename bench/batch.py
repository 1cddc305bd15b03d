"""A batch on a GPU, or with torch on a CPU: how near the whole pass comes to the bare network.

    python -m bench.batch --device cuda --weights RESNET18.safetensors

`TorchRuntime.embed` takes bytes in the host's memory and answers float32 there: its copies,
normalising and pooling count. The bare backbone works on numbers that lie on the device, and leaves
its feature maps there. Both in turn, in each precision that the device has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from app.cli import ThreadsOption, WeightsOption, console, stop
from app.core.building.preset import load_preset
from app.core.errors import GoodsGuardError
from app.core.features.extractor import FeatureExtractor
from app.core.features.runtimes import PRECISIONS, choose_device, choose_runtime, supports
from bench import tables
from bench.backbone import BareBackbone
from bench.machine import Figures, OutOption, QuickOption, Run
from bench.rounds import in_turn, ratio, spread, timed


def measure(
    preset_name: str, weights: Path | None, device: torch.device, batch: int, run: Run, rounds: int
) -> list[Figures]:
    """A row per precision."""
    preset, rows = load_preset(preset_name), []
    side = preset.features.preprocess.input_size
    pixels = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    for precision in PRECISIONS:
        if not supports("torch", precision, device):
            continue
        make = choose_runtime(device, "torch", precision)
        extractor = FeatureExtractor.load(preset.features, device, weights, make)
        runtime, spec = extractor.runtime, extractor.spec
        bare = BareBackbone(spec, weights, "torch", precision, run.threads, device, batch)
        found = in_turn(
            {
                "pass": timed(lambda runtime=runtime: runtime.embed(pixels)),  # type: ignore[misc]
                "bare": timed(lambda bare=bare: bare.many(batch)),  # type: ignore[misc]
            },
            rounds,
            5,
        )
        rows.append(
            {
                "preset": preset_name,
                "precision": precision,
                "pass_ms": spread(found["pass"]),
                "bare_ms": spread(found["bare"]),
                # of images a second: what the pass leaves of the bare network's
                "pass_of_bare": ratio(found["bare"], found["pass"]),
            }
        )
    return rows


def markdown(figures: Figures) -> list[str]:
    """The table of batch.json."""
    return tables.table(
        ("preset, precision", "pass ms", "bare backbone ms", "images/s of the bare backbone's"),
        [
            [
                f"{row['preset']}, {row['precision']}",
                tables.spread(row["pass_ms"]),
                tables.spread(row["bare_ms"]),
                tables.spread(row["pass_of_bare"]),
            ]
            for row in figures["rows"]
        ],
    )


def main(
    device: Annotated[str, typer.Option(help="cuda, cuda:N or cpu.")] = "cuda",
    batch: Annotated[int, typer.Option(min=1, help="Photos in a pass.")] = 32,
    preset: Annotated[str, typer.Option()] = "patch",
    weights: WeightsOption = None,
    threads: ThreadsOption = 0,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Measure, print, write batch.json."""
    run = Run("batch", out, threads, quick=quick)
    try:
        place = choose_device(device)
        rows = measure(preset, weights, place, batch, run, 2 if quick else 6)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    name = torch.cuda.get_device_name(place) if place.type == "cuda" else "the CPU"
    figures: Figures = {"device": name, "batch": batch, "rows": rows}
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

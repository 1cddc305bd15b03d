"""How long one photo takes by what is looked at: banks of one category, in turn on the same photos.

    python -m bench.look_time --bank whole=MODELS --bank box=MODELS --data ROOT --category NAME

Each MODELS is a folder that `goodsguard build` wrote with the look of that name; the first is what
the others are compared with. Whole: bytes to verdict. After the network: what the look can change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from app.cli import DeviceOption, ThreadsOption, WeightsOption, console, stop
from app.core.detector import Detector
from app.core.errors import GoodsGuardError
from app.core.features.extractor import FeatureExtractor
from app.core.features.runtimes import choose_device, choose_runtime
from app.core.photo.dataset import Category, evenly, read_category
from app.core.store import artifact as artifacts
from bench.machine import CategoryOption, DataOption, Figures, OutOption, QuickOption, Run
from bench.rounds import Turn, in_turn, ratio, spread

PHOTOS = 24


def main(
    bank: Annotated[list[str], typer.Option(help="LOOK=MODELS; repeat it, the whole photo first.")],
    data: DataOption,
    category: CategoryOption,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 0,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Time the banks in turn; write look_time.json."""
    run = Run("look_time", out, threads, quick=quick)
    try:
        photos = test_photos(read_category(data, category))
        detectors = {
            name: load(Path(folder), category, weights, device)
            for name, _, folder in (one.partition("=") for one in bank)
        }
        found = measure(detectors, photos, rounds=3 if quick else 15)
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc
    run.write({"category": category, "photos": len(photos), "looks": found})
    for name, figures in found.items():
        console.print(
            f"{name}: {figures['looked']} patches looked at; of the first's time whole "
            f"{figures['whole_ratio']['median']:.3f}, after the network "
            f"{figures['search_ratio']['median']:.3f}",
            highlight=False,
        )


def test_photos(category: Category) -> list[bytes]:
    """Photos of the test split, good and defective, evenly spread."""
    return [path.read_bytes() for path in evenly([one.path for one in category.test], PHOTOS)]


def load(models: Path, category: str, weights: Path | None, device: str) -> Detector:
    artifact = artifacts.load(models, category)
    place = choose_device(device)
    extractor = FeatureExtractor.load(
        artifact.manifest.features, place, weights, choose_runtime(place)
    )
    return Detector(artifact, extractor)


def measure(detectors: Mapping[str, Detector], photos: list[bytes], *, rounds: int) -> Figures:
    """By look: patches looked at, milliseconds of a photo, and ratios to the first look."""

    def judging(detector: Detector, part: Callable[[dict[str, float]], float]) -> Turn:
        def turn(calls: int) -> list[float]:
            found = []
            for number in range(calls):
                (one,) = detector.judge([detector.read(photos[number % len(photos)])])
                found.append(part(one.timings_ms))
            return found

        return turn

    calls = len(photos)
    whole = in_turn({n: judging(d, _total) for n, d in detectors.items()}, rounds, calls)
    search = in_turn({n: judging(d, _search) for n, d in detectors.items()}, rounds, calls)
    first = next(iter(detectors))
    return {
        name: {
            "looked": _looked(detector, photos[0]),
            "whole_ms": spread(whole[name]),
            "whole_ratio": ratio(whole[name], whole[first]),
            "search_ms": spread(search[name]),
            "search_ratio": ratio(search[name], search[first]),
        }
        for name, detector in detectors.items()
    }


def _looked(detector: Detector, photo: bytes) -> int:
    (one,) = detector.judge([detector.read(photo)])
    return len(one.embedding)


def _total(timings: dict[str, float]) -> float:
    return timings["decode"] + timings["embed"] + timings["search"]


def _search(timings: dict[str, float]) -> float:
    return timings["search"]


if __name__ == "__main__":
    typer.run(main)

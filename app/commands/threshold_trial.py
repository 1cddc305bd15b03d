"""What a threshold would do: to the good photos of the calibration, and to labelled ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.detector import Detector
from ..core.evaluating.evaluation import ScoredImage, score_split
from ..core.features.extractor import FeatureExtractor
from ..core.features.runtimes import choose_device, choose_runtime
from ..core.photo.dataset import read_test_split
from ..core.store.artifact import Artifact


def on_calibration(artifact: Artifact, threshold: float) -> str:
    """How many of the good photos that the threshold comes from lie above it."""
    scores = artifact.calibration.scores
    return _share(int(np.sum(scores > threshold)), len(scores))


def score_photos(
    data: Path, artifact: Artifact, weights: Path | None, device: str
) -> tuple[ScoredImage, ...]:
    """The scores of the category's labelled photos, on the engine that calibrated the bank.

    Raises:
        NoTestSplit: not both labels are there.
        PresetError, WeightsNotFound, WeightsMismatch: the network cannot be had.
        ArtifactError: the bank's golden photos score otherwise here.
    """
    split = read_test_split(data, artifact.manifest.category)
    place, record = choose_device(device), artifact.manifest.runtime
    make_runtime = choose_runtime(place, like=(record.name, record.precision))
    spec = artifact.manifest.features
    detector = Detector(artifact, FeatureExtractor.load(spec, place, weights, make_runtime))
    detector.self_test()
    return score_split(split, detector.inspect).scored


def caught(scored: Sequence[ScoredImage], threshold: float, *, defective: bool) -> str:
    """How many of the defective photos, or else of the good ones, score above a threshold."""
    scores = [s.score for s in scored if s.image.is_defective is defective]
    return _share(sum(score > threshold for score in scores), len(scores))


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "none of none"

"""A stored bank, opened for use from Python: its file, its weights and its engine are found.

What the service does beyond this (several banks on one network, a queue, a faster engine unasked)
is in service/; a program that judges one photo after the other needs none of it.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from .core.building.preset import Preset
from .core.detector import Detector as BankDetector
from .core.features.extractor import FeatureExtractor
from .core.features.runtimes import choose_device, choose_runtime
from .core.judging.inspection import Inspection
from .core.store import artifact as artifacts
from .core.store.signing_keys import load_trusted

AnyPath = str | PathLike[str]


class Detector(BankDetector):
    """The detector of core, with a door for programs: stored banks, and photos by their path."""

    @classmethod
    def open(
        cls,
        models: AnyPath,
        category: str,
        *,
        version: str | None = None,
        weights: AnyPath | None = None,
        device: str = "auto",
        trusted: AnyPath | None = None,
    ) -> Self:
        """A stored bank's detector, on the engine that calibrated it where this machine has that.

        Its golden photos are scored again first, so that a machine that scores otherwise is found
        out, and not the goods.

        Args:
            version: a bank version; None takes the one that serves.
            weights: a file, or a folder of them; None looks into packages, then torchvision's
                cache.
            device: auto, cpu, cuda or cuda:N.
            trusted: public keys (PEM, a file or a folder): the bank must be signed with one.

        Raises:
            UnknownCategory, NoSuchVersion, SignatureError, SigningKeyError.
            ArtifactError: the bank is damaged, or its golden photos score otherwise here.
            PresetError, WeightsNotFound, WeightsMismatch: the network cannot be had.
        """
        keys = None if trusted is None else load_trusted(Path(trusted))
        artifact = artifacts.load(Path(models), category, version, trusted=keys)
        place, record = choose_device(device), artifact.manifest.runtime
        extractor = FeatureExtractor.load(
            artifact.manifest.features,
            place,
            None if weights is None else Path(weights),
            choose_runtime(place, like=(record.name, record.precision)),
        )
        detector = cls(artifact, extractor)
        detector.self_test()
        return detector

    def inspect(self, photo: bytes | AnyPath) -> Inspection:
        """Judge one photo: its file's bytes, or its path.

        Raises:
            OSError: the file cannot be read.
            ImageError: the photo cannot be judged.
            NonFiniteScore: the network answered with NaN or infinity.
        """
        return super().inspect(photo if isinstance(photo, bytes) else Path(photo).read_bytes())

    def anomaly_map(
        self, inspection: Inspection, shape: tuple[int, int] | None = None
    ) -> npt.NDArray[np.float32] | None:
        """(h, w) float32 map over the whole photo, larger where it looks odder; None for methods
        that judge a photo as a whole.

        Args:
            shape: (h, w); None: the photo's own.
        """
        return super().anomaly_map(inspection, shape or (inspection.height, inspection.width))


def load_extractor(
    preset: Preset, *, weights: AnyPath | None = None, device: str = "auto"
) -> FeatureExtractor:
    """The network of a preset, to build banks with: one serves any number of categories.

    Args:
        weights: a file, or a folder of them; None looks into packages, then torchvision's cache.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        PresetError, WeightsNotFound, WeightsMismatch.
    """
    return FeatureExtractor.load(
        preset.features, choose_device(device), None if weights is None else Path(weights)
    )

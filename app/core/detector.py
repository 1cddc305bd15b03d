"""A photo's way: decode -> preprocess -> embed -> nearest neighbours -> score -> verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.core.artifact import Artifact, Manifest
from app.core.bank import MemoryBank
from app.core.calibration import Calibration
from app.core.errors import ArtifactError
from app.core.features import Embedding, Extractor
from app.core.images import MAX_PIXELS, decode
from app.core.preprocess import PreparedImage

Verdict = Literal["normal", "anomalous", "unusable"]


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded and prepared upload.

    Attributes:
        width, height: pixels of the photo as sent, upright.
        decode_ms: bytes to network input.
    """

    prepared: PreparedImage
    width: int
    height: int
    format: str
    decode_ms: float


@dataclass(frozen=True)
class Inspection:
    """What the detector says of one photo.

    Attributes:
        embedding: (P, D) float32.
        timings_ms: decode, embed, search; embed is a batch's time divided by its photos.
    """

    verdict: Verdict
    score: float
    threshold: float
    p_value: float
    alpha: float
    width: int
    height: int
    format: str
    embedding: Embedding = field(repr=False)
    timings_ms: dict[str, float]

    @property
    def is_anomalous(self) -> bool:
        return self.verdict == "anomalous"


class Detector:
    """One category's bank, ready to judge photos. Immutable; safe to share between threads."""

    def __init__(
        self, artifact: Artifact, extractor: Extractor, *, max_pixels: int = MAX_PIXELS
    ) -> None:
        if extractor.spec != artifact.manifest.features:
            raise ArtifactError("the extractor is not the one the bank was built with")
        self.manifest: Manifest = artifact.manifest
        self.bank: MemoryBank = artifact.bank
        self.calibration: Calibration = artifact.calibration
        self.extractor = extractor
        self._scoring = artifact.manifest.scoring
        self._max_pixels = max_pixels

    def inspect(self, data: bytes) -> Inspection:
        """Judge one photo from its bytes.

        Raises:
            ImageError: the photo cannot be judged.
            NonFiniteScore: the network answered with NaN or infinity.
        """
        return self.judge([self.read(data)])[0]

    def read(self, data: bytes) -> Photo:
        """The first half, on any thread: bytes -> network input.

        Raises:
            ImageError: the photo cannot be judged.
        """
        start = time.perf_counter()
        image = decode(
            data,
            max_pixels=self._max_pixels,
            at_least=self.extractor.spec.preprocess.at_least(),
        )
        prepared = self.extractor.prepare(image)
        elapsed = _ms_since(start)
        return Photo(prepared, image.width, image.height, image.format, elapsed)

    def judge(self, photos: Sequence[Photo]) -> list[Inspection]:
        """The second half, on a worker: network input -> verdicts, in order.

        Raises:
            NonFiniteScore: the network answered with NaN or infinity.
        """
        start = time.perf_counter()
        embeddings = self.extractor.embed([photo.prepared for photo in photos])  # (B, P, D)
        embed_ms = _ms_since(start) / len(photos)
        inspections = []
        for photo, embedding in zip(photos, embeddings, strict=True):
            start = time.perf_counter()
            distances, _ = self.bank.search(embedding, self._scoring.k)  # (P, k)
            score = self._scoring.image_score(self._scoring.patch_scores(distances))
            timings = {"decode": photo.decode_ms, "embed": embed_ms, "search": _ms_since(start)}
            inspections.append(self._verdict(photo, embedding, score, timings))
        return inspections

    def _verdict(
        self, photo: Photo, embedding: Embedding, score: float, timings: dict[str, float]
    ) -> Inspection:
        calibration = self.calibration
        return Inspection(
            verdict="anomalous" if calibration.is_anomalous(score) else "normal",
            score=score,
            threshold=calibration.threshold,
            p_value=calibration.p_value(score),
            alpha=calibration.alpha,
            width=photo.width,
            height=photo.height,
            format=photo.format,
            embedding=embedding,
            timings_ms=timings,
        )


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000

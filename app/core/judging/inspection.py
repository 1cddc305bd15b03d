"""A photo before it is judged, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..arrays import Floats, Mask
from ..errors import GoodsGuardError
from ..photo.preprocess import PreparedImage
from .backdrop import Backdrop

Verdict = Literal["normal", "anomalous", "unusable"]


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded and prepared upload.

    Attributes:
        width, height: pixels of the photo as sent, upright.
        decode_ms: bytes to network input. waited_ms: until a thread had time to decode.
        backdrop: to draw the overlay on, where that was asked for; whoever asked releases it.
    """

    prepared: PreparedImage
    width: int
    height: int
    format: str
    decode_ms: float
    waited_ms: float = 0.0
    backdrop: Backdrop | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Inspection:
    """What the detector says of one photo.

    Attributes:
        score_map: (h, w) float32, smoothed scores of the grid's cells that lie on the photo;
            None for a global method.
        embedding: (P, D) float32 of those cells.
        timings_ms: decode, wait, embed, search; embed is a batch's time divided by its photos.
        looked: (h, w), which of those cells were looked at; None: all of the photo was.
    """

    verdict: Verdict
    score: float
    threshold: float
    p_value: float
    alpha: float
    width: int
    height: int
    format: str
    placement: PreparedImage = field(repr=False)
    score_map: Floats | None = field(repr=False)
    embedding: Floats = field(repr=False)
    timings_ms: dict[str, float]
    looked: Mask | None = field(default=None, repr=False)

    @property
    def is_anomalous(self) -> bool:
        return self.verdict == "anomalous"


def or_raise(outcome: Inspection | GoodsGuardError) -> Inspection:
    """The inspection, or the error in its place raised."""
    if isinstance(outcome, GoodsGuardError):
        raise outcome
    return outcome

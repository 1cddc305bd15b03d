"""Which photos are kept, and which verdicts a person should see first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .verdicts import Said

Keep = Literal["all", "anomalous", "none"]

# How much a verdict asks for a review; those of more come first.
REST, NEAR, ANOMALOUS = 0, 1, 2


@dataclass(frozen=True)
class PhotoPolicy:
    """Which photos are kept.

    Attributes:
        keep: `all`; `anomalous`: the anomalous ones, those near the threshold and a sample of the
            rest; `none`.
        near_alphas: a photo is near the threshold if its p-value is no more than this many alphas,
        near_share: or its score above the threshold less this share of it.
        sample: share of the rest, from 0 to 1. The photo's hash chooses: the same photo is chosen
            each time, by every process.
    """

    keep: Keep = "anomalous"
    near_alphas: float = 3.0
    near_share: float = 0.05
    sample: float = 0.01

    def keeps(self, said: Said, sha256: str) -> bool:
        """Whether the photo is kept. One that cannot be judged belongs to the rest."""
        if self.keep != "anomalous":
            return self.keep == "all"
        return self.urgency(said) > REST or _place(sha256) < self.sample

    def urgency(self, said: Said) -> int:
        """How much the verdict asks for a review: ANOMALOUS, NEAR or REST."""
        if said.verdict == "anomalous":
            return ANOMALOUS
        return NEAR if said.verdict == "normal" and self._is_near(said) else REST

    def _is_near(self, said: Said) -> bool:
        p_value, alpha, score, threshold = said.p_value, said.alpha, said.score, said.threshold
        if p_value is not None and alpha is not None and p_value <= self.near_alphas * alpha:
            return True
        if score is None or threshold is None:
            return False
        return score > threshold - self.near_share * abs(threshold)


def _place(sha256: str) -> float:
    """A photo's place in [0, 1), the same each time: 52 bits of its hash."""
    return int(sha256[-13:], 16) / 2**52

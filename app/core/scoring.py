"""Distances -> one score per image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from app.core.errors import NonFiniteScore


class Scoring(BaseModel):
    """How distances become a score.

    Attributes:
        k: neighbours per patch; their mean distance is the patch's score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: int = Field(default=1, ge=1)

    def patch_scores(self, distances: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(P, k) Euclidean distances -> (P,) patch scores: the mean over the k neighbours."""
        scores: npt.NDArray[np.float32] = distances.mean(axis=1, dtype=np.float32)
        return scores

    def image_score(self, patch_scores: npt.NDArray[np.float32]) -> float:
        """(P,) patch scores -> the image's score: that of its worst patch.

        Raises:
            NonFiniteScore: NaN or infinity among the patches.
        """
        score = float(patch_scores.max())
        if not np.isfinite(score):
            raise NonFiniteScore("the score of this photo is not finite")
        return score

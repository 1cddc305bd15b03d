"""Distances -> patch scores on their grid -> one score per image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.ndimage import gaussian_filter

from ..errors import NonFiniteScore

Map = npt.NDArray[np.float32]  # (h, w) patch scores


class Scoring(BaseModel):
    """How distances become a score.

    The image's score is the mean of its highest patch scores. The bare maximum hangs on one patch,
    which chance can raise on a good photo; damage covers several. Compared with the maximum, a
    smoothed maximum and other shares in `bench/results/sweep.md`.

    Attributes:
        k: neighbours per patch; their mean distance is the patch's score.
        top_share: the share of a photo's patches, at least one patch, whose mean is its score; 0
            takes the single highest.
        smoothing: standard deviation, in patches, of the Gaussian over the map that is shown and
            compared with masks; the score is taken before it. 0: none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    k: int = Field(default=1, ge=1)
    top_share: float = Field(default=0.0, ge=0.0, le=1.0)
    smoothing: float = Field(default=0.0, ge=0.0, le=8.0)

    def patch_scores(self, distances: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(P, k) Euclidean distances -> (P,) float32."""
        return np.asarray(distances.mean(axis=1, dtype=np.float32))

    def counted(self, patches: int) -> int:
        """How many of a photo's patches, the highest ones, make its score."""
        return max(1, round(self.top_share * patches))

    def image_score(self, patch_scores: npt.NDArray[np.float32]) -> float:
        """(P,) patch scores -> the image's score.

        Raises:
            NonFiniteScore: NaN or infinity among the patches.
        """
        highest = self.counted(len(patch_scores))
        top = np.partition(patch_scores, -highest)[-highest:]
        score = float(top.mean(dtype=np.float64))
        if not np.isfinite(score):
            raise NonFiniteScore("the score of this photo is not finite")
        return score

    def score_map(self, patch_scores: npt.NDArray[np.float32], shape: tuple[int, int]) -> Map:
        """(P,) scores of the h × w patches of a photo -> the (h, w) float32 map that is shown."""
        scores = patch_scores.reshape(shape)
        if self.smoothing > 0:
            # "nearest": the rim is continued outwards; padding with 0 would hide defects there
            scores = gaussian_filter(scores, self.smoothing, mode="nearest")
        return np.asarray(scores, dtype=np.float32)

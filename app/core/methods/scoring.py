"""The scores of a photo's cells -> one score per photo, and the map that is shown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.ndimage import gaussian_filter

from ..arrays import Floats
from ..errors import NonFiniteScore

# Of a small region no more than that: damage need not fill it.
_MOST_OF_LOOKED = 0.05


class Scoring(BaseModel):
    """How the scores of cells become a photo's.

    The image's score is the mean of its highest patch scores. The bare maximum hangs on one patch,
    which chance can raise on a good photo; damage covers several. Compared with the maximum, a
    smoothed maximum and other shares in `bench/results/sweep.md`.

    How many they are is a share of the photo's patches, not of those that a look leaves: damage is
    as large whatever is looked at. Measured on cartons held before shelves, judged in a box of a
    quarter of the photo: AUROC 0.782 by 1 % of the box's patches, 0.794 by 1 % of the photo's.

    Attributes:
        top_share: the share of a photo's patches, at least one patch, whose mean is its score; 0
            takes the single highest.
        smoothing: standard deviation, in patches, of the Gaussian over the map that is shown and
            compared with masks; the score is taken before it. 0: none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    top_share: float = Field(default=0.0, ge=0.0, le=1.0)
    smoothing: float = Field(default=0.0, ge=0.0, le=8.0)

    def counted(self, patches: int, of: int | None = None) -> int:
        """How many patches, the highest ones, make the photo's score.

        Args:
            patches: that are looked at. of: those of the whole photo; None: all are looked at.
        """
        own = max(1, round(self.top_share * patches))
        if of is None:
            return own
        return max(own, min(round(self.top_share * of), round(_MOST_OF_LOOKED * patches)))

    def image_score(self, cells: Floats, of: int | None = None) -> float:
        """Scores of a photo's cells that are looked at, of any shape -> the photo's score.

        Args:
            of: cells of the whole photo; None: all are looked at.

        Raises:
            NonFiniteScore: NaN or infinity among the highest.
        """
        flat = cells.ravel()
        highest = self.counted(len(flat), of)
        top = np.partition(flat, -highest)[-highest:]
        score = float(top.mean(dtype=np.float64))
        if not np.isfinite(score):
            raise NonFiniteScore("the score of this photo is not finite")
        return score

    def score_map(self, cells: Floats, looked: npt.NDArray[np.bool_] | None = None) -> Floats:
        """(h, w) scores of a photo's cells -> the (h, w) float32 map that is shown.

        Args:
            looked: (h, w), the cells that are looked at: smoothed among themselves, the others 0.
        """
        if self.smoothing > 0:
            # "nearest": the rim is continued outwards; padding with 0 would hide defects there
            smooth = gaussian_filter(cells, self.smoothing, mode="nearest")
            if looked is not None:
                share = gaussian_filter(looked.astype(np.float32), self.smoothing, mode="nearest")
                smooth = np.where(looked, smooth / np.maximum(share, 1e-6), 0)
            cells = smooth
        return np.asarray(cells, dtype=np.float32)

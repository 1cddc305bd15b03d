"""Figures on damage that was drawn on held-out good photos: what they are, and what they are not.

Each damaged photo is a copy of a good one that is scored, too. In the interval of a difference a
photo with its copies is one observation (`photos.py`). In that of an AUROC the copies of a photo
are one, beside the photo itself: what disturbs in both makes it wider than it need be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .evaluation import Evaluation, ScoredImage
from .metrics import auroc_interval
from .outcome import by_label

CANNOT_SAY = "Drawn damage cannot say how real damage is found."
NOT_OF_LOOKS = (
    ". Nor can they say which look is better: damage that lies outside a box or mask counts as "
    "missed, though no goods may be there"
)


class DrawnDamage(BaseModel):
    """On what figures were measured where no labelled defective photos are stored."""

    model_config = ConfigDict(frozen=True)

    learnt: int = Field(description="different good photos that all banks learnt from")
    held_out: int = Field(description="good photos that no bank has seen, scored as they are")
    damaged: int = Field(description="the same photos with drawn damage")
    each: int = Field(description="damaged copies of each held-out photo; one observation with it")
    goods: Literal["found", "everywhere"] = Field(description="where damage was drawn")
    seed: int = 0

    @property
    def sentence(self) -> str:
        """What a person must know before any figure."""
        where = "on the goods" if self.goods == "found" else "anywhere in the frame"
        return (
            "no labelled defective photos are stored, so all figures are on drawn damage: "
            f"{self.damaged} damages, drawn {where} of {self.held_out} held-out good photos, by "
            f"banks that learnt from {self.learnt} others. They say which preset loses sight of "
            "what changed, not how real damage is found: that needs photos in test/<defect type>"
            f"{'' if self.goods == 'found' else NOT_OF_LOOKS}"
        )


def on_drawn(
    evaluation: Evaluation, scored: Sequence[ScoredImage], drawn: DrawnDamage
) -> Evaluation:
    """An evaluation whose interval takes copies of a photo for one, and which says what it is."""
    low, high = auroc_interval(*by_label(scored), each=drawn.each)
    said = (drawn.sentence, *evaluation.remarks)
    return evaluation.model_copy(update={"auroc_ci95": (low, high), "remarks": said})

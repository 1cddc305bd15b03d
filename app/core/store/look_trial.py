"""What a manifest says of how a bank's look was chosen: a row for each look that was tried."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..photo.look import LookKind

Share = tuple[float, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LookRow(_Frozen):
    """One look on the same held-out photos, good and with drawn damage.

    Attributes:
        auroc, ci95: of image scores, with its interval.
        difference, difference_ci95: from `whole`, paired by photo; null for `whole` itself.
        by: AUROC by kind of damage and by size, each against all good photos.
    """

    look: LookKind
    auroc: float = Field(ge=0.0, le=1.0)
    ci95: Share
    difference: float | None = None
    difference_ci95: Share | None = None
    by: dict[str, float] = Field(default_factory=dict, max_length=64)

    @property
    def is_better(self) -> bool:
        """Whether it is proven to be better than `whole`."""
        return self.difference_ci95 is not None and self.difference_ci95[0] > 0


class LookTrial(_Frozen):
    """Which looks were tried, and what was taken.

    Attributes:
        why: a sentence for whoever builds.
        goods: whether damage was drawn where the goods are (`found`) or anywhere (`everywhere`).
        apart, varied, follows: what the good photos told of that; null where it was not asked.
        learnt, held_out, damaged: photos.
    """

    taken: LookKind
    why: str
    goods: Literal["found", "everywhere"] = "everywhere"
    apart: float | None = None
    varied: float | None = None
    follows: float | None = None
    learnt: int = Field(default=0, ge=0)
    held_out: int = Field(default=0, ge=0)
    damaged: int = Field(default=0, ge=0)
    seed: int = 0
    rows: tuple[LookRow, ...] = Field(default=(), max_length=16)

"""What of the good images' embeddings a bank keeps."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BankRule(BaseModel):
    """From all patches of the good images to the bank's vectors.

    Attributes:
        highest_std_dimensions: keep the columns of highest standard deviation over the bank;
            None keeps all.
        coreset_ratio: share of the patches to keep; 1 keeps all.
        max_vectors: upper limit on the vectors kept, whatever the ratio says; None: no limit.
        seed: of the coreset's first pick, and of the calibration folds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    highest_std_dimensions: int | None = Field(default=None, ge=1)
    coreset_ratio: float = Field(default=1.0, gt=0.0, le=1.0)
    max_vectors: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)

    def size(self, patches: int) -> int:
        """Vectors kept of so many patches: never 0, never more than there are."""
        wanted = max(1, round(patches * self.coreset_ratio))
        return min(wanted, self.max_vectors or wanted)

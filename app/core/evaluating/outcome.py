"""What one preset reached on a category; several of them, photo by photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import rankdata

from ..photo.dataset import LabelledImage
from ..photo.look import LookKind
from .evaluation import Evaluation, ScoredImage
from .pairing import Difference, auroc_difference
from .photos import photos_difference

Scores = npt.NDArray[np.float64]


class BankFacts(BaseModel):
    """What a comparison says of a bank."""

    model_config = ConfigDict(frozen=True)

    version: str
    look: LookKind = Field(default="whole", description="where it looks; `auto` has chosen it")
    engine: str = Field(description="runtime and precision that scored")
    images: int = Field(description="different ones, learnt from")
    copies: int = Field(default=0, description="training photos that count no more than once")
    bytes: int
    build_s: float
    taken: bool = Field(description="it was there and fitted; else it was built for this")
    threshold: float
    alpha: float = Field(description="the false-alarm rate that the threshold's rule promises")


@dataclass(frozen=True)
class Outcome:
    """What one preset reached on one category; what could not be had is None or empty.

    Attributes:
        fault: why.
        evaluation: where the split has both labels.
    """

    preset: str
    fault: str | None = None
    bank: BankFacts | None = None
    scored: tuple[ScoredImage, ...] = ()
    evaluation: Evaluation | None = None
    ms_per_photo: float | None = None

    @property
    def auroc(self) -> float:
        """Of one that was evaluated."""
        assert self.evaluation is not None
        return self.evaluation.auroc


def aligned(outcomes: Sequence[Outcome]) -> tuple[list[LabelledImage], dict[str, Scores]]:
    """The photos that all of them scored, and by preset the (n,) scores of these."""
    found = [{s.image.path: s for s in outcome.scored} for outcome in outcomes]
    common = [path for path in found[0] if all(path in scored for scored in found)] if found else []
    scores = {
        outcome.preset: np.array([scored[path].score for path in common])
        for outcome, scored in zip(outcomes, found, strict=True)
    }
    return [found[0][path].image for path in common], scores


def by_label(scored: Sequence[ScoredImage]) -> tuple[Scores, Scores]:
    """(n,) scores of the good photos and (m,) of the defective ones, each in their order."""
    good = np.array([s.score for s in scored if not s.image.is_defective], dtype=np.float64)
    return good, np.array([s.score for s in scored if s.image.is_defective], dtype=np.float64)


def difference(method: Outcome, other: Outcome, each: int | None = None) -> Difference:
    """Their AUROCs' difference on the photos that both scored.

    Args:
        each: the defective photos are copies of the good ones, so many of each in a row, in the
            photos' order; None: they are different photos.
    """
    images, scores = aligned([method, other])
    bad = np.array([image.is_defective for image in images])
    mine, theirs = scores[method.preset], scores[other.preset]
    pair = (mine[~bad], mine[bad]), (theirs[~bad], theirs[bad])
    return auroc_difference(*pair) if each is None else photos_difference(*pair, each)


def ranks(scores: Scores) -> Scores:
    """(n,) each photo's place by its score, from 0 (calmest) to 1; equal scores share theirs."""
    return np.asarray((rankdata(scores) - 1) / max(1, len(scores) - 1))


def disagreements(scores: Mapping[str, Scores], limit: int) -> list[int]:
    """The photos whose highest and lowest rank among the methods lie furthest apart.

    Scores of methods have no unit in common; ranks within the split have.

    Returns:
        at most `limit` indices, the furthest first; none of a photo that all rank alike.
    """
    if len(scores) < 2:
        return []
    apart = np.ptp([ranks(those) for those in scores.values()], axis=0)
    return [int(i) for i in np.argsort(-apart, kind="stable")[:limit] if apart[i] > 0]

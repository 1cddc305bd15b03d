"""Several presets on one category, as figures: a row each, and which one is best."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from ..photo.dataset import Category
from .evaluation import Evaluation, Interval
from .finding import Conclusion, find, listed
from .metrics import binomial_interval
from .on_drawn import CANNOT_SAY, DrawnDamage
from .outcome import BankFacts, Outcome, difference
from .pairing import Difference


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class FalseAlarms(_Frozen):
    """Good test photos that were called anomalous."""

    raised: int
    n_good: int
    ci95: Interval = Field(description="Clopper-Pearson")

    @property
    def rate(self) -> float:
        return self.raised / self.n_good


class Row(_Frozen):
    """One preset on one category; what could not be had is `null`, and `fault` says why."""

    preset: str = Field(description="and the look, where it is not the preset's own")
    fault: str | None = None
    bank: BankFacts | None = None
    evaluation: Evaluation | None = Field(None, description="where both labels are there")
    difference: Difference | None = Field(None, description="AUROC less the reference's, paired")
    false_alarms: FalseAlarms | None = Field(None, description="where good test photos are there")
    ms_per_photo: float | None = None


class Comparison(_Frozen):
    """Several presets on one category.

    Attributes:
        reference: the preset that differences are taken to; the first that has an AUROC.
        remarks: what to know before any figure.
        drawn: all figures are on drawn damage; null: on the stored test split.
    """

    category: str
    n_train: int
    n_good: int
    n_defective: int
    remarks: tuple[str, ...] = ()
    drawn: DrawnDamage | None = None
    finding: Conclusion
    reference: str | None
    rows: tuple[Row, ...]

    @property
    def n_different(self) -> int | None:
        """Training photos that were learnt from, where others are copies of them."""
        banks = (row.bank for row in self.rows)
        return next((bank.images for bank in banks if bank and bank.copies), None)

    @property
    def copies_remark(self) -> str:
        """A sentence on copies; empty where there are none."""
        if self.n_different is None:
            return ""
        return f"copies count once: {self.n_different} different of {self.n_train} training photos"


def compare(
    category: Category,
    outcomes: Sequence[Outcome],
    drawn: DrawnDamage | None = None,
    remarks: Sequence[str] = (),
) -> Comparison:
    """The presets' rows, in their order, and the finding.

    Args:
        category: with the photos that were scored. drawn: on what they were drawn, if they were.
        remarks: more to know.
    """
    reference = next((o for o in outcomes if o.evaluation is not None), None)
    n_defective = sum(image.is_defective for image in category.test)
    return Comparison(
        category=category.name,
        n_train=len(category.train),
        n_good=len(category.test) - n_defective,
        n_defective=n_defective,
        remarks=(*([drawn.sentence] if drawn else []), *remarks),
        drawn=drawn,
        finding=find(category, outcomes, drawn),
        reference=reference.preset if reference else None,
        rows=tuple(_row(outcome, reference, drawn) for outcome in outcomes),
    )


def overall(comparisons: Sequence[Comparison]) -> str:
    """The sentence over all categories: the highest mean AUROC, and where that preset is best.

    Figures on drawn damage and on stored defects are never in one mean.
    """
    stored = [c for c in comparisons if c.drawn is None]
    drawn = [c for c in comparisons if c.drawn is not None]
    said = [_over(some) for some in (stored, drawn) if some]
    return " ".join(said)


def _over(comparisons: Sequence[Comparison]) -> str:
    """The sentence over categories of one sort."""
    if len(comparisons) == 1:
        return comparisons[0].finding.sentence
    on, cannot = ("drawn damage in ", f" {CANNOT_SAY}") if comparisons[0].drawn else ("", "")
    tried = [c for c in comparisons if c.finding.best]
    means = {name: sum(areas) / len(areas) for name, areas in _complete(tried).items()}
    if not means:
        return "Which preset is best over all categories cannot be said; each one's part says why."
    best = max(means, key=lambda name: means[name])
    proven = [c.category for c in tried if c.finding.best == best and c.finding.is_proven]
    share = f"{len(proven)} of them ({listed(proven)})" if proven else "none"
    return (
        f"{best} has the highest mean AUROC over {on}{len(tried)} categories, {means[best]:.3f}; "
        f"it is proven best in {share}.{cannot}"
    )


def _complete(tried: Sequence[Comparison]) -> dict[str, list[float]]:
    """The AUROCs of the presets that have one in every category."""
    areas: dict[str, list[float]] = {}
    for row in (row for comparison in tried for row in comparison.rows):
        if row.evaluation is not None:
            areas.setdefault(row.preset, []).append(row.evaluation.auroc)
    return {name: found for name, found in areas.items() if len(found) == len(tried)}


def _row(outcome: Outcome, reference: Outcome | None, drawn: DrawnDamage | None) -> Row:
    each = drawn.each if drawn else None
    paired = reference not in (None, outcome) and outcome.evaluation is not None
    return Row(
        preset=outcome.preset,
        fault=outcome.fault,
        bank=outcome.bank,
        evaluation=outcome.evaluation,
        difference=difference(outcome, reference, each) if paired and reference else None,
        false_alarms=_false_alarms(outcome),
        ms_per_photo=outcome.ms_per_photo,
    )


def _false_alarms(outcome: Outcome) -> FalseAlarms | None:
    good = [s.score for s in outcome.scored if not s.image.is_defective]
    if outcome.bank is None or not good:
        return None
    raised = sum(score > outcome.bank.threshold for score in good)
    return FalseAlarms(raised=raised, n_good=len(good), ci95=binomial_interval(raised, len(good)))

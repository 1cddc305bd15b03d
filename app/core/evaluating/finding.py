"""Which preset is best on a category, in one plain sentence, and whether that is proven."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from ..photo.dataset import Category
from .on_drawn import CANNOT_SAY, DrawnDamage
from .outcome import Outcome, difference
from .pairing import Difference

Lead = tuple[str, Difference]  # over which preset, and how much


class Conclusion(BaseModel):
    """The sentence, and what it says."""

    model_config = ConfigDict(frozen=True)

    sentence: str
    best: str | None = Field(None, description="the preset of the highest AUROC")
    is_proven: bool = Field(False, description="each of its leads has an interval above 0")


def find(
    category: Category, outcomes: Sequence[Outcome], drawn: DrawnDamage | None = None
) -> Conclusion:
    """The preset of the highest AUROC, and whether it is proven better than each other one.

    Args:
        drawn: the test photos were drawn on.
    """
    name, each = category.name, None
    if drawn is not None:
        name, each = f"damage drawn on good photos of {name}", drawn.each
    if {image.is_defective for image in category.test} != {False, True}:
        return Conclusion(
            sentence=f"Which preset is best on {name} cannot be said: accuracy needs labelled "
            "photos, good ones in test/good and defective ones in test/<defect type>."
        )
    evaluated = [outcome for outcome in outcomes if outcome.evaluation is not None]
    if not evaluated:
        text = f"No preset could be evaluated on {name}; the table says why."
        return Conclusion(sentence=text)
    best, *others = sorted(evaluated, key=lambda o: -o.auroc)  # equal ones stay in order
    leads = [(other.preset, difference(best, other, each)) for other in others]
    doubtful = [(other, lead) for other, lead in leads if not lead.is_proven]
    if not leads:
        text = f"Only {best.preset} could be evaluated on {name}: AUROC {best.auroc:.3f}."
    elif doubtful:
        text = _doubtful(best, name, doubtful)
    else:
        text = _proven(best, name, leads)
    if drawn is not None:
        text = f"{text} {CANNOT_SAY}"
    return Conclusion(sentence=text, best=best.preset, is_proven=bool(leads) and not doubtful)


def _proven(best: Outcome, category: str, leads: Sequence[Lead]) -> str:
    other, lead = leads[0]
    among = "" if not leads[1:] else ", the next; its leads over all others are proven too"
    return (
        f"{best.preset} is best on {category}, AUROC {best.auroc:.3f}: its lead of "
        f"{lead.value:.3f} over {other} is proven (95 % interval {_interval(lead)}, without 0)"
        f"{among}."
    )


def _doubtful(best: Outcome, category: str, doubtful: Sequence[Lead]) -> str:
    equal = [other for other, lead in doubtful if lead.value == 0]
    if equal:
        return (
            f"{listed([best.preset, *equal])} have the same AUROC on {category}, {best.auroc:.3f}, "
            "the highest; these photos do not tell which is better."
        )
    other, lead = doubtful[0]
    more = f", nor is its lead over {listed(o for o, _ in doubtful[1:])}" if doubtful[1:] else ""
    return (
        f"{best.preset} has the highest AUROC on {category}, {best.auroc:.3f}, but its lead of "
        f"{lead.value:.3f} over {other} is not proven (95 % interval {_interval(lead)}, which "
        f"includes 0){more}."
    )


def _interval(lead: Difference) -> str:
    return "{:.3f} to {:.3f}".format(*lead.ci95).replace("-", "−")


def listed(names: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

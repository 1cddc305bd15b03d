"""A verdict as it lies before a reviewer: the photo or what is left of it, and what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ..core.detector import Detector
from ..records import reading, review_queue, reviews
from ..records.errors import UnknownVerdict
from ..records.opening import Records
from ..records.review_queue import Remaining
from ..records.verdicts import Review, Verdict
from ..service.registry import Registry
from .rendering import number
from .score_words import against_threshold, among_good

# Types of defects that stand ready to be chosen from; those of keys 1 to 9 first.
TYPES = 100
# What an open page calls itself.
SITTING = r"^[0-9a-f]{16}$"


@dataclass(frozen=True)
class Card:
    """A verdict to review.

    Attributes:
        picture: what can be shown of it: the photo, its thumbnail, or None.
        has_map: whether the bank that judged it serves, and so can draw its overlay again.
        is_taken: whether somebody else has it before them now.
        compared: with how many good photos its score was compared, where that bank serves.
    """

    verdict: Verdict
    picture: str | None
    has_map: bool
    is_taken: bool = False
    compared: int | None = None

    @property
    def words(self) -> str:
        """Where the score lies, in a sentence."""
        score, threshold = self.verdict.score, self.verdict.threshold
        if score is None or threshold is None:
            return "The photo could not be judged."
        words = against_threshold(score, threshold)
        said = f"Its score of {number(score)} is {words} ({number(threshold)})."
        p_value = self.verdict.p_value
        return said if p_value is None else f"{said} {among_good(p_value, self.compared)}"

    def for_script(self) -> dict[str, Any]:
        """What the page's script must know of it."""
        verdict = self.verdict
        return {
            "id": str(verdict.id),
            "name": f"{verdict.category}, {verdict.verdict}",
            "category": verdict.category,
            "width": verdict.width,
            "height": verdict.height,
            "picture": self.picture,
            "map": self.has_map,
            "regions": [
                [region[side] for side in ("left", "top", "right", "bottom")]
                for region in verdict.regions
            ],
            "review": spoken(verdict.review) if verdict.review else None,
        }


def spoken(review: Review) -> dict[str, Any]:
    """A review as the page's script keeps it."""
    return {
        "id": str(review.id),
        "who": review.who,
        "decision": review.decision,
        "defect": review.defect,
        "boxes": [[box.left, box.top, box.right, box.bottom] for box in review.boxes],
        "note": review.note,
    }


def counted(left: Remaining) -> dict[str, str]:
    """How many remain, as people read it."""
    return {"urgent": str(left.urgent), "all": str(left.all)}


def card_of(records: Records, registry: Registry, verdict: Verdict, who: str) -> Card:
    """The card of a verdict, which is taken on lease where it is free.

    Args:
        who: whose lease, see `lease_name`.
    """
    is_ours = review_queue.take(records, who, verdict.id)
    return _card(records, registry, verdict, is_taken=not is_ours)


def next_card(
    records: Records, registry: Registry, who: str, category: str | None, skip: Sequence[UUID]
) -> Card | None:
    """What to review next, on lease; None: nothing is left that others have not before them."""
    verdict = review_queue.next_unreviewed(records, who, category, skip=skip)
    return None if verdict is None else _card(records, registry, verdict)


def hold(records: Records, who: str, identities: Sequence[UUID]) -> list[UUID]:
    """Have leases begin anew; those that somebody else has taken or reviewed since, or that
    are deleted."""
    lost = []
    for identity in identities:
        try:
            is_open = reading.verdict(records, identity).review is None
            if not (is_open and review_queue.take(records, who, identity)):
                lost.append(identity)
        except UnknownVerdict:  # deleted
            lost.append(identity)
    return lost


class Left:
    """Pages that were left, by the names of their leases: what they had asked for just before is
    given to nobody, else it would lie on lease to no one. Asked on the thread that writes alone."""

    MOST = 10_000

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, name: str) -> None:
        """A page is left."""
        self._names[name] = None
        if len(self._names) > self.MOST:
            del self._names[next(iter(self._names))]

    def __contains__(self, name: str) -> bool:
        return name in self._names


def lease_name(viewer: str, sitting: str) -> str:
    """In whose name photos are leased: a person's, at one page that they have open.

    A key may be shared by several people, and one person may have two tabs open: each open page
    is a sitting of its own and gets photos of its own. Their reviews are the key's all the same.
    """
    return f"{viewer} {sitting}"


def known_types(records: Records, prefix: str = "") -> list[str]:
    """The defects' types that begin so, most frequent first."""
    return [one.name for one in reviews.defect_types(records, prefix, TYPES)]


def _card(
    records: Records, registry: Registry, verdict: Verdict, *, is_taken: bool = False
) -> Card:
    bank = _bank(registry, verdict)
    return Card(
        verdict,
        _picture(records, verdict),
        _has_map(registry, bank, verdict),
        is_taken,
        None if bank is None else len(bank.calibration.scores),
    )


def _bank(registry: Registry, verdict: Verdict) -> Detector | None:
    """The one that judged it, if it serves."""
    entry = registry.entries.get(verdict.category)
    if isinstance(entry, Detector) and entry.manifest.bank_version == verdict.bank_version:
        return entry
    return None


def _picture(records: Records, verdict: Verdict) -> str | None:
    if verdict.width is None:
        return None  # nobody could read it: a browser is not to try
    if verdict.photo_kept:
        return "photo"
    return "thumbnail" if reading.thumbnail_of(records, verdict.sha256) is not None else None


def _has_map(registry: Registry, bank: Detector | None, verdict: Verdict) -> bool:
    """Whether to ask for the overlay: an older version that is kept can draw it, too."""
    if not verdict.photo_kept or verdict.width is None:
        return False
    if bank is None:
        return verdict.category in registry.entries
    return bank.extractor.grid != (1, 1)

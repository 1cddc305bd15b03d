"""Undo: what it means for reviews, which are appended and never taken out."""

from __future__ import annotations

from uuid import UUID

from ..api.problems import Forbidden
from ..records import reviews
from ..records.errors import NotTheLatest
from ..records.opening import Records
from ..records.verdicts import Review


def take_back(
    records: Records, verdict_id: UUID, review_id: UUID, who: str, identity: UUID
) -> Review:
    """Append what makes a review count no more.

    Where the verdict had a review before, that one is said again: it counts as it did. Where it
    had none, a review without a decision is appended: the verdict is one that nobody has reviewed,
    and comes back into the queue, whether its author decides anew or leaves.

    Args:
        review_id: the one to take back: the verdict's latest, and by the same person.
        identity: the id of what is appended. Sent again under the same id it is stored once.

    Returns:
        what is appended.

    Raises:
        UnknownVerdict.
        NotTheLatest: the review does not count any more.
        Forbidden: it is somebody else's.
    """
    said = reviews.history(records, verdict_id)
    for review in said:
        if review.id == identity:
            return review
    if not said or said[-1].id != review_id:
        raise NotTheLatest("this review is not the latest one: what was said since counts")
    if said[-1].who != who:
        raise Forbidden("this review is somebody else's: say what you think in one of your own")
    instead = _instead(said[:-1], verdict_id, who, identity)
    return reviews.append(records, instead, after=review_id)


def _instead(before: list[Review], verdict_id: UUID, who: str, identity: UUID) -> Review:
    if not before:
        return Review(verdict_id=verdict_id, who=who, decision=None, id=identity)
    last = before[-1]
    return Review(
        verdict_id=verdict_id,
        who=who,
        decision=last.decision,
        defect=last.defect,
        boxes=last.boxes,
        note=last.note,
        id=identity,
    )

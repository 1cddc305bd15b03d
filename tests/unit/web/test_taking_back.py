"""What undo means for reviews."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.problems import Forbidden
from app.records import reading
from app.records.errors import NotTheLatest, UnknownVerdict
from app.records.ids import uuid7
from app.records.opening import Records, open_records
from app.records.reviews import append, history
from app.records.verdicts import DrawnBox, Review
from app.web.taking_back import take_back
from tests.unit.records.made import draft, store


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    folder: Path = tmp_path_factory.mktemp("records")
    with open_records(folder) as opened:
        yield opened


@pytest.fixture
def verdict(records: Records) -> UUID:
    one = draft()
    store(records, [one], draw=None)
    return one.id


def said(records: Records, verdict: UUID, decision: str, who: str = "anna", **more: object) -> UUID:
    review = Review(verdict_id=verdict, who=who, decision=decision, **more)  # type: ignore[arg-type]
    return append(records, review).id


def test_without_a_first_review_nobody_has_reviewed_it(records: Records, verdict: UUID) -> None:
    first = said(records, verdict, "good")
    identity = uuid7()
    for _ in range(2):  # sent again it is stored once
        done = take_back(records, verdict, first, "anna", identity)
        assert (done.id, done.decision, done.note) == (identity, None, None)
    assert [one.decision for one in history(records, verdict)] == ["good", None]
    assert reading.verdict(records, verdict).review is None


def test_what_was_said_before_counts_again(records: Records, verdict: UUID) -> None:
    box = DrawnBox(1, 2, 3, 4)
    said(records, verdict, "defective", "bert", defect="dent", boxes=[box], note="edge")
    second = said(records, verdict, "good")
    done = take_back(records, verdict, second, "anna", uuid7())
    assert (done.who, done.decision, done.defect, done.note) == (
        "anna",
        "defective",
        "dent",
        "edge",
    )
    assert tuple(done.boxes) == (box,)


def test_only_what_counts_is_taken_back_and_by_its_author(records: Records, verdict: UUID) -> None:
    first = said(records, verdict, "good")
    with pytest.raises(Forbidden, match="somebody else"):
        take_back(records, verdict, first, "bert", uuid7())
    said(records, verdict, "defective", "bert")
    with pytest.raises(NotTheLatest, match="said since"):
        take_back(records, verdict, first, "anna", uuid7())
    with pytest.raises(UnknownVerdict):
        take_back(records, uuid7(), first, "anna", uuid7())
    assert len(history(records, verdict)) == 2


@given(st.lists(st.sampled_from(["good", "defective", "unsure"]), min_size=1, max_size=4))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undo_leaves_the_state_before(records: Records, decisions: list[str]) -> None:
    """Whatever was said before: after undo the one before counts, and nothing is gone."""
    one = draft()
    store(records, [one], draw=None)
    ids = [said(records, one.id, decision) for decision in decisions]
    take_back(records, one.id, ids[-1], "anna", uuid7())
    found = [review.decision for review in history(records, one.id)]
    assert found[:-1] == decisions
    assert found[-1] == (decisions[-2] if len(decisions) > 1 else None)
    assert reading.verdict(records, one.id).decision == found[-1]

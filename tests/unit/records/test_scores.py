from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.records import scores as module
from app.records.opening import Records
from app.records.reviews import append
from app.records.scores import reviewed_scores, scores
from app.records.verdicts import Review

from .made import START, draft, photo, store

MIDNIGHT = datetime(2026, 2, 1, tzinfo=UTC)
OLD, NEW = "20260101T000001Z-000000", "20260201T000001Z-000000"


@pytest.fixture
def filled(records: Records) -> Records:
    """Scores 0 to 39; every second of another category, every fourth of an older version."""
    drafts = [
        draft(
            n,
            photo=photo(n),
            score=float(n),
            category="box" if n % 2 else "can",
            bank_version=OLD if n % 4 == 0 else NEW,
        )
        for n in range(40)
    ]
    drafts.append(draft(40, photo=b"no photo", score=None, verdict="unusable", bank_version=NEW))
    store(records, drafts, draw=None)
    for n, one in enumerate(drafts[:20]):
        append(records, Review(verdict_id=one.id, who="anna", decision="defective"))
        if n < 10:  # the latest counts
            append(records, Review(verdict_id=one.id, who="bert", decision="good"))
    return records


def test_scores_of_a_category_since_then_of_some_versions(filled: Records) -> None:
    since = START + timedelta(minutes=20)
    found = scores(filled, "can", [NEW], since)
    assert sorted(found.values) == [22, 26, 30, 34, 38]
    assert found.since == START + timedelta(minutes=22)
    assert not found.more
    assert found.days == 1
    assert sorted(scores(filled, "can", [OLD, NEW], since).values) == list(range(20, 40, 2))


def test_days_are_counted_on_which_there_are_some(records: Records) -> None:
    at = [(0, 23), (0, 24), (0, 25), (4, 0)]
    drafts = [
        draft(n, photo=photo(n), score=1.0, time=MIDNIGHT + timedelta(days=d, hours=h))
        for n, (d, h) in enumerate(at)
    ]
    store(records, drafts, draw=None)
    version = drafts[0].bank_version
    assert version is not None
    assert scores(records, drafts[0].category, [version], MIDNIGHT).days == 3


def test_where_there_is_none(filled: Records) -> None:
    found = scores(filled, "can", ["20250101T000001Z-000000"], START)
    assert (found.values.size, found.since, found.more, found.days) == (0, None, False, 0)
    assert reviewed_scores(filled, "nothing", [NEW], "good").values.size == 0


def test_reviewed_scores_go_by_the_latest_review(filled: Records) -> None:
    good = reviewed_scores(filled, "can", [OLD, NEW], "good")
    defective = reviewed_scores(filled, "can", [OLD, NEW], "defective")
    assert sorted(good.values) == [0, 2, 4, 6, 8]
    assert sorted(defective.values) == [10, 12, 14, 16, 18]
    assert sorted(reviewed_scores(filled, "can", [OLD], "defective").values) == [12, 16]


def test_of_more_than_are_taken_the_newest_count(
    filled: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SCORES", 3)
    found = scores(filled, "can", [OLD, NEW], START)
    assert sorted(found.values) == [34, 36, 38]
    assert found.more

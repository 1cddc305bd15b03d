from __future__ import annotations

import threading
import time
from datetime import timedelta
from uuid import UUID

import pytest

from app.records import review_queue
from app.records.errors import UnknownVerdict
from app.records.opening import Records
from app.records.reading import Count
from app.records.review_queue import Remaining, next_unreviewed, release, remaining, take
from app.records.reviews import append
from app.records.verdicts import Draft, Review, now

from .made import draft, photo, store


def shuffled() -> list[Draft]:
    """In the order in which they should be reviewed; stored in another."""
    return [
        draft(2, verdict="anomalous", score=3.0),
        draft(0, verdict="anomalous", score=9.0, category="box"),
        draft(3, score=1.95),
        draft(1, p_value=0.02),
        draft(5),
        draft(4, verdict="unusable", score=None),
    ]


def review(records: Records, verdict_id: UUID) -> None:
    append(records, Review(verdict_id=verdict_id, who="anna", decision="good"))


def test_anomalous_come_first_then_those_near_then_the_rest(records: Records) -> None:
    wanted = shuffled()
    store(records, sorted(wanted, key=lambda one: one.time), draw=None)
    for left, one in zip(range(len(wanted), 0, -1), wanted, strict=True):
        assert remaining(records) == Remaining(Count(max(0, left - 2)), Count(left))
        found = next_unreviewed(records, "anna")
        assert found is not None
        assert found.id == one.id
        review(records, found.id)
    assert next_unreviewed(records, "anna") is None
    assert remaining(records) == Remaining(Count(0), Count(0))


def test_of_one_category_only(records: Records) -> None:
    store(records, shuffled(), draw=None)
    assert remaining(records, "box") == Remaining(Count(1), Count(1))
    assert remaining(records, limit=3) == Remaining(Count(3, more=True), Count(3, more=True))
    found = next_unreviewed(records, "anna", "box")
    assert found is not None
    assert found.category == "box"
    review(records, found.id)
    assert next_unreviewed(records, "anna", "box") is None


def test_who_asks_again_gets_the_same(records: Records) -> None:
    store(records, shuffled(), draw=None)
    first = next_unreviewed(records, "anna")
    assert first is not None
    assert next_unreviewed(records, "anna") == first
    following = next_unreviewed(records, "anna", skip=[first.id])
    assert following is not None
    assert following != first
    other = next_unreviewed(records, "bert")
    assert other is not None
    assert other.id not in (first.id, following.id)


def test_what_is_given_back_others_get(records: Records) -> None:
    store(records, shuffled(), draw=None)
    first = next_unreviewed(records, "anna")
    assert first is not None
    release(records, "bert", first.id)  # not theirs: nothing happens
    assert next_unreviewed(records, "bert") != first
    release(records, "anna", first.id)
    assert next_unreviewed(records, "carl") == first


def test_a_person_gives_all_back(records: Records) -> None:
    store(records, shuffled(), draw=None)
    first = next_unreviewed(records, "anna")
    assert first is not None
    second = next_unreviewed(records, "anna", skip=[first.id])
    third = next_unreviewed(records, "bert")
    release(records, "anna")
    assert next_unreviewed(records, "carl") == first
    assert next_unreviewed(records, "dora") == second
    assert next_unreviewed(records, "bert") == third


def test_a_verdict_is_taken_unless_somebody_has_it(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(records, shuffled(), draw=None)
    at = now()
    monkeypatch.setattr(review_queue, "now", lambda: at)
    first = next_unreviewed(records, "anna", lease_s=60)
    assert first is not None
    assert not take(records, "bert", first.id)
    at += timedelta(seconds=50)
    assert take(records, "anna", first.id, lease_s=60)  # it begins anew
    at += timedelta(seconds=59)
    assert not take(records, "bert", first.id)
    at += timedelta(seconds=1)
    assert take(records, "bert", first.id)
    assert not take(records, "anna", first.id)
    with pytest.raises(UnknownVerdict):
        take(records, "anna", draft(1).id)


def test_a_lease_ends(records: Records) -> None:
    store(records, shuffled(), draw=None)
    first = next_unreviewed(records, "anna", lease_s=0.2)
    assert next_unreviewed(records, "bert") != first
    until = time.monotonic() + 10
    while next_unreviewed(records, "carl", lease_s=0) != first:
        assert time.monotonic() < until


def test_a_lease_has_its_length(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    store(records, shuffled(), draw=None)
    at = now()
    monkeypatch.setattr(review_queue, "now", lambda: at)
    first = next_unreviewed(records, "anna", lease_s=60)
    at += timedelta(seconds=59)
    assert next_unreviewed(records, "bert", lease_s=60) != first
    at += timedelta(seconds=1)
    assert next_unreviewed(records, "carl", lease_s=60) == first


def test_two_verdicts_of_one_photo_go_to_one_person(records: Records) -> None:
    both = [
        draft(n, verdict="anomalous", category=c, photo=photo(7)) for n, c in ((1, "a"), (2, "b"))
    ]
    store(records, [*both, draft(3)], draw=None)
    first, second = next_unreviewed(records, "anna"), next_unreviewed(records, "bert")
    assert first is not None
    assert second is not None
    assert first.sha256 != second.sha256
    review(records, first.id)
    third = next_unreviewed(records, "anna")
    assert third is not None
    assert (third.sha256, third.id != first.id) == (first.sha256, True)


def test_of_many_people_at_once_no_two_get_the_same(records: Records) -> None:
    store(records, [draft(n, verdict="anomalous") for n in range(30)], draw=None)
    found: list[UUID] = []
    start = threading.Barrier(10)

    def work(who: str) -> None:
        start.wait()
        for _ in range(3):
            one = next_unreviewed(records, who)
            assert one is not None
            found.append(one.id)
            review(records, one.id)

    threads = [threading.Thread(target=work, args=(f"person {n}",)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 30

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.records import transactions
from app.records.errors import InvalidReview, NotTheLatest, ReviewConflict, UnknownVerdict
from app.records.export import csv_lines
from app.records.filters import Filter
from app.records.ids import uuid7
from app.records.opening import Records, open_records
from app.records.reading import count, verdict
from app.records.review_queue import next_unreviewed, remaining
from app.records.reviews import DefectType, append, defect_types, history
from app.records.schema import PhotoRow
from app.records.verdicts import Decision, DrawnBox, Review

from .made import draft, store

HOSTILE = (
    "'; DROP TABLE verdicts; --",
    '" OR 1=1 --',
    "Robert'); DELETE FROM reviews;--",
    "%_\\/%'\"`$$;:x {0} %(x)s %s ? \n\r\t",
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x")',
    "zu öffnen ПРОБА 漏れ 🥫 e\u0301 \u202e",
    "a" * 10_000,
)


@pytest.fixture
def verdict_id(records: Records) -> UUID:
    one = draft()
    store(records, [one])
    return one.id


def said(verdict_id: UUID, decision: Decision | None = "good", **values: object) -> Review:
    return replace(Review(verdict_id=verdict_id, who="anna", decision=decision), **values)  # type: ignore[arg-type]


def test_a_review_comes_back_as_it_was_sent(records: Records, verdict_id: UUID) -> None:
    sent = said(
        verdict_id, "defective", defect="dent", note="left of the label",
        boxes=(DrawnBox(0, 0, 40, 30), DrawnBox(1.5, 2, 3, 4.25)),
    )  # fmt: skip
    assert append(records, sent) == sent
    assert history(records, verdict_id) == [sent]
    assert verdict(records, verdict_id).review == sent


def test_what_is_taken_back_is_not_reviewed_and_stays_in_the_history(
    records: Records, verdict_id: UUID
) -> None:
    """In the queue, its counts, the filters, the exports and what photos are kept for."""
    sent = [said(verdict_id, "defective", defect="dent"), said(verdict_id, None)]
    for number, one in enumerate(sent):
        assert append(records, one) == one
        reviewed = number == 0
        assert count(records, Filter(reviewed=reviewed)).number == 1
        assert count(records, Filter(decision="defective")).number == reviewed
        assert remaining(records).all.number == (not reviewed)
        assert is_kept_as_reviewed(records) is reviewed
    assert history(records, verdict_id) == sent
    assert verdict(records, verdict_id).review is None
    assert b"dent" not in b"".join(csv_lines(records))
    found = next_unreviewed(records, "bert")
    assert found
    assert found.id == verdict_id


def test_a_photo_stays_reviewed_while_another_verdict_of_it_is(records: Records) -> None:
    first, second = draft(), draft()
    store(records, [first, second])
    append(records, said(first.id))
    append(records, said(second.id))
    append(records, said(first.id, None))
    assert is_kept_as_reviewed(records)


def is_kept_as_reviewed(records: Records) -> bool:
    with records.engine.connect() as connection:
        return bool(connection.scalar(sa.select(PhotoRow.reviewed)))


def test_reviews_are_appended_and_the_latest_counts(records: Records, verdict_id: UUID) -> None:
    # The clocks of clients do not decide which is the latest.
    sent = [said(verdict_id, "good", at=draft(9).time), said(verdict_id, "defective"),
            said(verdict_id, "unsure", at=draft(1).time)]  # fmt: skip
    for one in sent:
        append(records, one)
    assert history(records, verdict_id) == sent
    assert verdict(records, verdict_id).decision == "unsure"


def test_the_same_review_twice_is_one(records: Records, verdict_id: UUID) -> None:
    sent = said(verdict_id, "defective", defect="  a  dent ", boxes=(DrawnBox(1, 1, 2, 2),))
    first = append(records, sent)
    again = append(records, replace(sent, at=draft(5).time))
    assert again == first
    assert history(records, verdict_id) == [first]


def test_another_review_under_its_id_is_refused(records: Records, verdict_id: UUID) -> None:
    sent = said(verdict_id, "good")
    append(records, sent)
    with pytest.raises(ReviewConflict, match="take a new one"):
        append(records, replace(sent, decision="unsure"))
    with pytest.raises(ReviewConflict):
        append(records, replace(sent, verdict_id=uuid7()))
    assert verdict(records, verdict_id).decision == "good"


def test_it_must_be_about_a_verdict(records: Records) -> None:
    with pytest.raises(UnknownVerdict):
        append(records, said(uuid7()))
    with pytest.raises(UnknownVerdict):
        history(records, uuid7())


def test_a_box_beyond_the_photo_is_refused(records: Records, verdict_id: UUID) -> None:
    with pytest.raises(InvalidReview, match="beyond the photo of 40×30 pixels"):
        append(records, said(verdict_id, boxes=(DrawnBox(0, 0, 40, 30.5),)))
    assert history(records, verdict_id) == []


def test_a_reviewed_photo_is_marked(records: Records, verdict_id: UUID) -> None:
    append(records, said(verdict_id))
    with transactions.reading(records.engine) as connection:
        assert connection.scalars(sa.select(PhotoRow.reviewed)).all() == [True]
    store(records, [draft(1, photo=draft().photo)])  # seen once more
    with transactions.reading(records.engine) as connection:
        assert connection.scalars(sa.select(PhotoRow.reviewed)).all() == [True]


def test_defect_types_are_completed(records: Records, verdict_id: UUID) -> None:
    for defect in (
        "Dent",
        "dent",
        "deep  scratch",
        "DENT",
        "Öl",
        "öl",
        "50% torn",
        "50 torn",
        None,
    ):
        append(records, said(verdict_id, "defective", defect=defect))
    assert defect_types(records, limit=2) == [DefectType("DENT", 3), DefectType("öl", 2)]
    assert defect_types(records, " De") == [DefectType("DENT", 3), DefectType("deep scratch", 1)]
    assert defect_types(records, "Ö") == [DefectType("öl", 2)]
    assert defect_types(records, "50%") == [DefectType("50% torn", 1)]
    assert defect_types(records, "50_") == []


@pytest.mark.parametrize("text", HOSTILE)
def test_free_text_is_only_text(records: Records, verdict_id: UUID, text: str) -> None:
    sent = said(verdict_id, "defective", note=text, who=text[:200].strip())
    assert append(records, sent) == sent
    short = " ".join(text.split())[:200].strip()
    append(records, said(verdict_id, "defective", defect=short))
    assert [found.name for found in defect_types(records, short)] == [short]
    assert len(history(records, verdict_id)) == 2
    assert b"".join(csv_lines(records)).count(str(verdict_id).encode()) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_a_camera_s_name_is_only_text(records: Records, text: str) -> None:
    one = draft(camera=text, key_name=text, request_id=text)
    store(records, [one])
    found = verdict(records, one.id)
    assert (found.camera, found.key_name, found.request_id) == (text, text, text)


def test_of_a_hundred_people_at_once_no_review_is_lost(records: Records) -> None:
    drafts = [draft(number) for number in range(10)]
    store(records, drafts, draw=None)
    start, faults = threading.Barrier(100), []

    def review(number: int) -> None:
        start.wait()
        try:
            for one in drafts[:5]:
                append(records, said(one.id, note=f"from {number}"))
        except BaseException as exc:
            faults.append(exc)

    threads = [threading.Thread(target=review, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    for one in drafts[:5]:
        reviews = history(records, one.id)
        assert {review.note for review in reviews} == {f"from {n}" for n in range(100)}
        assert verdict(records, one.id).review == reviews[-1]


def test_a_review_waits_while_another_writes(tmp_path: Path) -> None:
    """Two processes: of one transaction the other sees nothing, then all."""
    with open_records(tmp_path) as ours, open_records(tmp_path) as theirs:
        one = draft()
        store(ours, [one])
        done = threading.Event()

        def review() -> None:
            append(theirs, said(one.id))
            done.set()

        with transactions.writing(ours.engine):
            thread = threading.Thread(target=review)
            thread.start()
            assert not done.wait(0.3)
            assert history(theirs, one.id) == []
        thread.join()
        assert len(history(ours, one.id)) == 1


def test_what_must_be_the_latest_is_looked_at_as_it_is_written(records: Records) -> None:
    one = draft(0)
    store(records, [one])
    first = append(records, Review(verdict_id=one.id, who="anna", decision="good"))
    append(records, Review(verdict_id=one.id, who="bert", decision="defective"))
    undo = Review(verdict_id=one.id, who="anna", decision=None)
    with pytest.raises(NotTheLatest, match="what was said since counts"):
        append(records, undo, after=first.id)
    assert [review.who for review in history(records, one.id)] == ["anna", "bert"]
    assert verdict(records, one.id).decision == "defective"

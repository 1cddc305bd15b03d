from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.records import deleting
from app.records.deleting import Deleted, delete_span
from app.records.errors import RecordsUnavailable
from app.records.events import Event
from app.records.opening import Records
from app.records.outbox import delivered, oldest, put
from app.records.reading import page, thumbnail_of
from app.records.review_queue import next_unreviewed
from app.records.reviews import append
from app.records.schema import Base
from app.records.verdicts import Review

from .made import START, draft, photo, store

OF_THE_BRIDGE = {"events", "deliveries", "targets", "alarm_states", "camera_states"}


def rows(records: Records) -> dict[str, int]:
    with records.engine.connect() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
            if table.name not in OF_THE_BRIDGE
        }


def test_all_of_a_time_span_goes(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleting, "CHUNK", 3)
    drafts = [draft(number) for number in range(10)]
    store(records, drafts)
    for one in drafts:
        append(records, Review(verdict_id=one.id, who="anna", decision="good"))
    since, until = START + timedelta(minutes=2), START + timedelta(minutes=9)
    size = sum(len(photo(number)) for number in range(2, 9))
    assert delete_span(records, since, until) == Deleted(7, 7, 7, size)
    left = page(records).verdicts
    assert [one.id for one in left] == [drafts[n].id for n in (9, 1, 0)]
    assert sorted(records.photos.all()) == sorted(one.sha256 for one in left)
    assert rows(records) == {"verdicts": 3, "reviews": 3, "photos": 3, "thumbnails": 3, "leases": 0}
    assert delete_span(records, None, until + timedelta(days=1)).verdicts == 3
    assert set(rows(records).values()) == {0}
    assert list(records.photos.all()) == []


def test_it_stops_where_the_service_does(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleting, "CHUNK", 3)
    store(records, [draft(number) for number in range(10)])
    stops = threading.Event()
    stops.set()
    with pytest.raises(RecordsUnavailable, match="3 verdicts are deleted, the rest is there"):
        delete_span(records, None, START + timedelta(days=1), stops=stops)
    assert rows(records)["verdicts"] == 7
    assert delete_span(records, None, START + timedelta(days=1)).verdicts == 7


def test_others_write_while_much_is_deleted(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "CHUNK", 1)
    store(records, [draft(number) for number in range(60)])
    begun, written = threading.Event(), threading.Event()

    def write() -> None:
        begun.wait(30)
        store(records, [draft(10_000)])
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[bool] = []
    delete_one = deleting._delete

    def slowly(*arguments: Any) -> Deleted:
        begun.set()
        seen.append(written.is_set())
        return delete_one(*arguments)

    monkeypatch.setattr(deleting, "_delete", slowly)
    delete_span(records, None, START + timedelta(days=1))
    writer.join()
    assert seen[-1]  # long before all was gone
    assert not seen[0]


def test_pictures_of_events_go_too(records: Records) -> None:
    """Their words stay, and what waits is told without its picture."""
    events = [
        Event(
            kind="alarm.raised", camera="shelf", category=("can", "box")[n % 2], body={"n": n},
            overlay=b"picture", time=START + timedelta(minutes=n),
        )
        for n in range(6)
    ]  # fmt: skip
    put(records, events, lambda _event: ["phone"])
    delete_span(records, START + timedelta(minutes=1), START + timedelta(minutes=5), "can")
    kept = []
    while (one := oldest(records, "phone")) is not None:
        kept.append(one.event.overlay is not None)
        delivered(records, one, START)
    assert kept == [True, True, False, True, False, True]


def test_of_one_category_only(records: Records) -> None:
    store(records, [draft(n, category=("can", "box")[n % 2]) for n in range(4)])
    assert delete_span(records, None, START + timedelta(days=1), "box").verdicts == 2
    assert {one.category for one in page(records).verdicts} == {"can"}


def test_a_shared_photo_goes_with_the_last_verdict(records: Records) -> None:
    store(records, [draft(number, photo=photo(0)) for number in (0, 5)])
    (sha256,) = set(records.photos.all())
    assert delete_span(records, None, START + timedelta(minutes=3)) == Deleted(verdicts=1)
    assert records.photos.read(sha256) == photo(0)
    assert thumbnail_of(records, sha256)
    deleted = delete_span(records, None, START + timedelta(minutes=9))
    assert (deleted.verdicts, deleted.photos) == (1, 1)
    assert records.photos.read(sha256) is None
    assert thumbnail_of(records, sha256) is None


def test_what_is_on_lease_goes_too(records: Records) -> None:
    store(records, [draft()])
    assert next_unreviewed(records, "anna")
    assert delete_span(records, None, START + timedelta(minutes=1)).verdicts == 1
    assert rows(records)["leases"] == 0
    assert next_unreviewed(records, "anna") is None

from __future__ import annotations

import sqlalchemy as sa

from app.records import newest
from app.records.newest import Marks
from app.records.opening import Records
from app.records.reviews import append
from app.records.transactions import reading
from app.records.verdicts import Review

from .made import draft, photo, store


def test_marks_grow_with_verdicts_and_reviews(records: Records) -> None:
    assert newest.marks(records) == Marks(0, 0)
    first = draft(0)
    store(records, [first, draft(1)])
    assert newest.marks(records) == Marks(2, 0)
    append(records, Review(verdict_id=first.id, who="anna", decision="good"))
    assert newest.marks(records) == Marks(2, 1)


def test_arrivals_are_those_between_two_numbers(records: Records) -> None:
    cameras = ("a", "b", None, "a")
    drafts = [
        draft(i, camera=camera, verdict="anomalous" if i == 3 else "normal")
        for i, camera in enumerate(cameras)
    ]
    store(records, drafts)
    found = newest.arrivals(records, 0, 4)
    assert found.cameras == frozenset({"a", "b", None})
    assert found.all
    assert [one.id for one in found.anomalous] == [drafts[3].id]
    found = newest.arrivals(records, 1, 3)
    assert found.cameras == frozenset({"b", None})
    assert found.anomalous == []
    assert newest.arrivals(records, 4, 4).cameras == frozenset()
    assert not newest.arrivals(records, 0, 4, limit=3).all


def test_of_a_camera_the_newest_come_first(records: Records) -> None:
    drafts = [draft(i, camera="a" if i % 2 else None) for i in range(6)]
    store(records, drafts[::-1])
    assert [one.id for one in newest.of_camera(records, "a", 2)] == [drafts[5].id, drafts[3].id]
    assert [one.id for one in newest.of_camera(records, None, 9)] == [
        drafts[i].id for i in (4, 2, 0)
    ]
    assert newest.of_camera(records, "b", 9) == []
    assert newest.last_seen(records, "a") == drafts[5].time
    assert newest.last_seen(records, None) == drafts[4].time
    assert newest.last_seen(records, "b") is None


def test_a_cameras_newest_are_found_by_its_index_alone(records: Records) -> None:
    """Nothing is sorted: a million verdicts take no longer than ten."""
    with records.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET enable_seqscan = off"))
        plans = []
        for camera in ("camera = 'a'", "camera IS NULL"):
            explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
            query = (
                f"{explain} SELECT number FROM verdicts WHERE {camera} "
                "ORDER BY camera DESC, time DESC, number DESC LIMIT 12"
            )
            plans.append("\n".join(str(row) for row in connection.execute(sa.text(query))))
    for plan in plans:
        assert "verdicts_by_camera" in plan
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan


def test_thumbnails_and_photos_are_counted(records: Records) -> None:
    assert newest.photos_kept(records) == (0, 0)
    store(records, [draft(0), draft(1), draft(2, photo=b"no image", width=None, height=None)])
    number, total = newest.photos_kept(records)
    assert number == 3
    assert total == len(photo(0)) + len(photo(1)) + len(b"no image")
    verdicts = newest.of_camera(records, "shelf-1", 3)
    assert newest.with_thumbnail(records, [one.sha256 for one in verdicts]) == {
        one.sha256 for one in verdicts if one.width
    }
    assert newest.with_thumbnail(records, []) == set()
    with reading(records.engine) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM thumbnails")) == 2

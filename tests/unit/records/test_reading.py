from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.records import filters, reading
from app.records.errors import InvalidCursor, UnknownVerdict
from app.records.filters import Filter
from app.records.ids import uuid7
from app.records.opening import Records, open_records
from app.records.reading import (
    Count,
    count,
    histogram,
    known_cameras,
    known_categories,
    neighbours,
    newest_per_camera,
    page,
)
from app.records.reviews import append
from app.records.verdicts import Draft, Review, Verdict

from .made import START, draft, photo, store

CATEGORIES, CAMERAS = ("can", "box"), ("a", "b", None)
VERDICTS = ("normal", "anomalous", "unusable")
DECISIONS = (None, "good", "defective")


def various(number: int) -> Draft:
    """Every combination of what filters ask for, and two verdicts at each time."""
    verdict = VERDICTS[number // 6 % 3]
    score = None if verdict == "unusable" else float(number % 11)
    return draft(
        number // 2,
        category=CATEGORIES[number % 2],
        camera=CAMERAS[number // 2 % 3],
        verdict=verdict,
        score=score,
        photo=photo(number),
    )


@pytest.fixture
def filled(records: Records) -> Records:
    """108 verdicts, two thirds of them reviewed."""
    drafts = [various(number) for number in range(108)]
    store(records, drafts, draw=None)
    for number, one in enumerate(drafts):
        if decision := DECISIONS[number // 18 % 3]:
            append(records, Review(verdict_id=one.id, who="anna", decision=decision))  # type: ignore[arg-type]
    return records


def fits(asked: Filter, one: Verdict) -> bool:
    """What a filter means, said in Python."""
    has_score = one.score is not None
    return all(
        (
            asked.category in (None, one.category),
            asked.camera in (None, one.camera),
            asked.verdict in (None, one.verdict),
            asked.reviewed in (None, one.decision is not None),
            asked.decision in (None, one.decision),
            asked.since is None or one.time >= asked.since,
            asked.until is None or one.time < asked.until,
            asked.lowest is None or (has_score and one.score >= asked.lowest),  # type: ignore[operator]
            asked.highest is None or (has_score and one.score <= asked.highest),  # type: ignore[operator]
        )
    )


def maybe(values: Any) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values)


FILTERS = st.builds(
    Filter,
    category=maybe([*CATEGORIES, "unknown"]),
    camera=maybe(["a", "b", ""]),
    verdict=maybe(VERDICTS),
    reviewed=maybe([True, False]),
    decision=maybe(["good", "defective", "unsure"]),
    since=maybe([START + timedelta(minutes=m) for m in (0, 10, 53)]),
    until=maybe([START + timedelta(minutes=m) for m in (0, 20, 99)]),
    lowest=maybe([0.0, 5.0, 99.0]),
    highest=maybe([0.0, 7.0, 99.0]),
)
# The database is only read: every example may have the same.
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@SHARED
@given(asked=FILTERS, size=st.integers(1, 40), few=st.sampled_from([0, 1000]))
def test_pages_are_what_the_filter_means_newest_first(
    filled: Records, asked: Filter, size: int, few: int
) -> None:
    everything = reading.page(filled, size=1000).verdicts
    assert len(everything) == 108
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filters, "_FEW", few)  # by both ways to scores
        found = list(pages(filled, asked, size))
        assert count(filled, asked) == Count(len(found))
    assert found == [one for one in everything if fits(asked, one)]


def pages(records: Records, asked: Filter, size: int, between: Callable[[], object] = lambda: None,
) -> Iterator[Verdict]:  # fmt: skip
    cursor = None
    while True:
        some = page(records, asked, cursor, size)
        assert len(some.verdicts) <= size
        yield from some.verdicts
        if (cursor := some.next) is None:
            return
        assert some.verdicts
        between()


ARRIVALS = st.lists(st.lists(st.integers(-60, 60), max_size=3), max_size=6)


@settings(max_examples=15)
@given(arrivals=ARRIVALS, size=st.integers(1, 7))
def test_whatever_arrives_between_pages_each_comes_once(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[list[int]], size: int
) -> None:
    """Also of times that are past, as of a worker whose queue was long, or a clock put back."""
    first = [draft(number // 2, photo=b"x") for number in range(20)]
    waiting = iter(arrivals)
    with open_records(tmp_path_factory.mktemp("pages")) as records:
        store(records, first, draw=None)

        def arrive() -> None:
            late = [draft(minute, photo=b"x") for minute in next(waiting, [])]
            store(records, late, draw=None)

        found = [one.id for one in pages(records, Filter(), size, arrive)]
    assert len(found) == len(set(found))
    assert {one.id for one in first} <= set(found)


def test_equal_times_are_ordered_by_what_came_first(records: Records) -> None:
    drafts = [draft(0, photo=b"x") for _ in range(10)]
    store(records, drafts, draw=None)
    found = [one.id for one in pages(records, Filter(), 3)]
    assert found == [one.id for one in reversed(drafts)]


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "é", "MS4y.", "MQ", "MS4yLjM", "YS5i", "A" * 5000,
        "OTk5OTk5OTk5OTk5OTk5OTk5OTkuMQ",  # more than 64 bits
    ],
)  # fmt: skip
def test_a_cursor_that_no_page_gave_is_refused(tmp_path: Path, cursor: str) -> None:
    with open_records(tmp_path) as records, pytest.raises(InvalidCursor, match="not a cursor"):
        page(records, cursor=cursor)


def test_counts_end_at_their_limit(filled: Records) -> None:
    assert count(filled, limit=107) == Count(107, more=True)
    assert count(filled, limit=108) == Count(108)
    assert str(Count(10_000, more=True)) == "more than 10,000"
    assert str(Count(1234)) == "1,234"


def test_what_is_known(filled: Records) -> None:
    assert known_categories(filled) == ["box", "can"]
    assert known_cameras(filled) == ["a", "b"]


def test_the_newest_of_each_camera(filled: Records) -> None:
    everything = page(filled, size=1000).verdicts
    for category in (None, "can"):
        newest = newest_per_camera(filled, category)
        assert [one.camera for one in newest] == ["a", "b"]
        for one in newest:
            asked = Filter(camera=one.camera, category=category)
            assert one == next(other for other in everything if fits(asked, other))


def test_a_histogram_counts_every_score(filled: Records) -> None:
    scores = [
        one.score
        for one in page(filled, Filter(category="can"), size=1000).verdicts
        if one.score is not None
    ]
    found = histogram(filled, "can", bins=5)
    counts, edges = np.histogram(scores, 5)
    assert (found.counts, found.edges) == (counts.tolist(), edges.tolist())
    assert (found.number, found.more) == (len(scores), False)


def test_a_histogram_is_of_what_is_asked(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = ("old", "new")
    drafts = [
        draft(n, score=float(n), bank_version=versions[n // 5], photo=b"x") for n in range(10)
    ]
    store(records, drafts, draw=None)
    assert histogram(records, "can", "old", bins=1).edges == [0, 4]
    since = START + timedelta(minutes=3)
    assert histogram(records, "can", "old", since, bins=1).edges == [3, 4]
    assert histogram(records, "can", until=since, bins=1).edges == [0, 2]
    assert histogram(records, "unknown") == reading.Histogram([], [], 0, False)
    monkeypatch.setattr(reading, "HISTOGRAM_SCORES", 4)
    assert histogram(records, "can", bins=1) == reading.Histogram([6, 9], [4], 4, True)


@pytest.mark.parametrize(
    "asked",
    [
        Filter(),
        Filter(category="can"),
        Filter(camera="a"),
        Filter(verdict="anomalous"),
        Filter(verdict="normal"),
        Filter(reviewed=True),
        Filter(reviewed=False),
        Filter(decision="good"),
        Filter(since=START, until=START + timedelta(days=1)),
        Filter(category="can", camera="a", verdict="unusable", reviewed=False, since=START),
    ],
    ids=str,
)
def test_pages_and_counts_go_by_an_index_in_its_order(tmp_path: Path, asked: Filter) -> None:
    """SQLite reads no table from end to end, and sorts nothing: so a million take no longer."""
    plans: list[str] = []

    def explain(
        connection: sa.Connection, cursor: Any, statement: str, values: Any, *_: Any
    ) -> None:
        if "verdicts" in statement and not statement.startswith("EXPLAIN"):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(str(row[3]) for row in rows)

    with open_records(tmp_path) as records:
        sa.event.listen(records.engine, "before_cursor_execute", explain)
        first = page(records, asked, size=1)
        count(records, asked)
    assert first.next is None
    ours = [plan for plan in plans if plan.split()[1] in ("verdicts", "TEMP")]
    assert len(ours) == 2, plans
    assert all(" INDEX verdicts_" in plan for plan in ours), plans


@SHARED
@given(asked=FILTERS, place=st.integers(0, 107))
def test_neighbours_are_those_of_the_pages(filled: Records, asked: Filter, place: int) -> None:
    everything = reading.page(filled, size=1000).verdicts
    fitting = [fits(asked, one) for one in everything]
    newer = [one.id for one, fit in zip(everything[:place], fitting, strict=False) if fit]
    older = [
        one.id
        for one, fit in zip(everything[place + 1 :], fitting[place + 1 :], strict=True)
        if fit
    ]
    found = neighbours(filled, everything[place].id, asked)
    assert found.newer == (newer[-1] if newer else None)
    assert found.older == (older[0] if older else None)


def test_an_unknown_verdict_has_no_neighbours(records: Records) -> None:
    with pytest.raises(UnknownVerdict):
        neighbours(records, uuid7())

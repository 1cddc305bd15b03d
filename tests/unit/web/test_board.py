from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from app.records.opening import Records, open_records
from app.web import board
from app.web.board import Tile, drawn, news, read_board, read_pins, read_tile
from tests.unit.records.made import draft, store


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with open_records(tmp_path / "records") as opened:
        yield opened


def test_cameras_of_the_file_come_with_those_that_sent_lately(records: Records) -> None:
    now = datetime.now(UTC)
    store(
        records,
        [
            draft(0, camera="till", time=now),
            draft(1, camera="lately-gone", time=now - timedelta(days=6)),
            draft(2, camera="long-gone", time=now - timedelta(days=8)),
        ],
    )
    found = read_board(records, ["till", "belt"])
    assert [tile.camera for tile in found.tiles] == ["belt", "lately-gone", "till"]
    assert found.marks.verdict == 3


def test_tiles_are_bounded(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "MAX_TILES", 2)
    found = read_board(records, ["a", "b", "c"])
    assert ([tile.camera for tile in found.tiles], found.unshown) == (["a", "b"], 2)


def test_the_strip_shows_scores_by_their_threshold(records: Records) -> None:
    store(
        records,
        [
            draft(0, score=1.0, threshold=2.0),
            draft(1, score=9.0, threshold=2.0, verdict="anomalous"),
            draft(2, score=None, threshold=None, verdict="unusable"),
        ],
    )
    tile = read_tile(records, "shelf-1")
    assert [(bar.x, bar.height, bar.verdict) for bar in tile.bars] == [
        (0, 8.0, "normal"),
        (10, 32.0, "anomalous"),
        (20, 0.0, "unusable"),
    ]
    assert tile.summary == "Last 3: 1 normal, 1 unusable, 1 anomalous"


def test_the_worst_of_a_photos_verdicts_stands_first(records: Records) -> None:
    same = {"photo": b"x", "request_id": "one", "width": None}
    store(
        records,
        [
            draft(0, verdict="anomalous", request_id="before"),
            draft(1, verdict="anomalous", category="box", **same),
            draft(2, **same),
        ],
    )
    tile = read_tile(records, "shelf-1")
    assert [one.category for one in tile.newest] == ["box", "can"]
    assert not tile.is_pictured


def test_only_todays_are_pinned_and_the_filter_says_the_same(records: Records) -> None:
    now = datetime.now(UTC)
    store(
        records,
        [
            draft(0, verdict="anomalous", time=now - timedelta(hours=25)),
            draft(1, verdict="anomalous", time=now),
            draft(2, time=now),
        ],
    )
    pins = read_pins(records)
    assert (len(pins.verdicts), pins.count.number, pins.more) == (1, 1, "")
    (since,) = parse_qs(pins.query)["since"]
    assert datetime.fromisoformat(since) == pins.since
    assert now - pins.since < timedelta(hours=24)


def test_what_is_drawn_is_escaped(records: Records) -> None:
    nasty = "<script>alert(1)</script>\"'"
    store(
        records,
        [draft(0, camera=nasty, category=nasty, verdict="anomalous", time=datetime.now(UTC))],
    )
    tile = drawn("now_tile.html", tile=read_tile(records, nasty))
    pins = drawn("now_pins.html", pins=read_pins(records))
    for html in (tile, pins, drawn("now_tile.html", tile=Tile(nasty))):
        assert "<script" not in html
        assert 'alert(1)</script>"' not in html


def test_news_names_category_and_camera(records: Records) -> None:
    store(records, [draft(0, camera=None)])
    (verdict,) = read_tile(records, None).verdicts
    assert news(verdict) == "New anomalous verdict: can, no camera."

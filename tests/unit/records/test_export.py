from __future__ import annotations

import csv
import io
import json
import sys
from datetime import datetime
from pathlib import Path

import pytest

from app.records import export
from app.records.errors import ExtraMissing
from app.records.export import COLUMNS, csv_lines, write_parquet
from app.records.filters import EVERYTHING, Filter
from app.records.opening import Records
from app.records.reading import page
from app.records.reviews import append
from app.records.verdicts import DrawnBox, Review, Verdict

from .made import draft, store


@pytest.fixture
def filled(records: Records, monkeypatch: pytest.MonkeyPatch) -> Records:
    """Seven verdicts, read three at a time."""
    monkeypatch.setattr(export, "MAX_PAGE", 3)
    drafts = [draft(number, photo=b"x") for number in range(6)]
    unusable = draft(6, verdict="unusable", score=None, camera=None, photo=b"x")
    store(records, [*drafts, unusable], draw=None)
    review = Review(
        verdict_id=drafts[1].id, who="anna", decision="defective", defect="dent",
        boxes=(DrawnBox(1, 2, 3, 4),), note='a "quoted"\r\nline, and more: é🥫',
    )  # fmt: skip
    append(records, review)
    return records


def table(records: Records, asked: Filter = EVERYTHING) -> list[dict[str, str]]:
    text = b"".join(csv_lines(records, asked)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def agrees(row: dict[str, str], one: Verdict) -> None:
    assert row["id"] == str(one.id)
    assert datetime.fromisoformat(row["time"]) == one.time
    assert (float(row["score"]) if row["score"] else None) == one.score
    assert row["camera"] == (one.camera or "")
    assert row["decision"] == (one.decision or "")
    assert json.loads(row["regions"]) == one.regions


def test_csv_has_every_verdict_newest_first(filled: Records) -> None:
    rows, verdicts = table(filled), page(filled).verdicts
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 7
    for row, one in zip(rows, verdicts, strict=True):
        agrees(row, one)


def test_csv_has_the_latest_review(filled: Records) -> None:
    (row,) = table(filled, Filter(reviewed=True))
    assert (row["defect"], row["reviewed_by"]) == ("dent", "anna")
    assert row["note"] == 'a "quoted"\r\nline, and more: é🥫'
    assert json.loads(row["boxes"]) == [{"left": 1, "top": 2, "right": 3, "bottom": 4}]


def test_of_nothing_there_are_the_names(records: Records) -> None:
    assert b"".join(csv_lines(records)) == (",".join(COLUMNS) + "\r\n").encode()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula(records: Records, start: str) -> None:
    store(records, [draft(camera=f"{start}1+1|cmd", score=-1.5)])
    (row,) = table(records)
    assert row["camera"] == f"'{start}1+1|cmd"
    assert row["score"] == "-1.5"  # a number is one


def test_parquet_has_the_same(filled: Records, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    with (tmp_path / "verdicts.parquet").open("wb") as file:
        assert write_parquet(filled, file) == 7
    found = pq.read_table(tmp_path / "verdicts.parquet")
    assert tuple(found.column_names) == COLUMNS
    assert str(found.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert str(found.schema.field("score").type) == "double"
    for row, one in zip(found.to_pylist(), page(filled).verdicts, strict=True):
        assert (row["id"], row["time"], row["score"]) == (str(one.id), one.time, one.score)
        assert row["photo_kept"] is one.photo_kept
        assert row["note"] == (one.review and one.review.note)


def test_without_its_package_parquet_names_the_extra(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'goodsguard\[parquet\]'"):
        write_parquet(records, io.BytesIO())

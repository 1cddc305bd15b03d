"""Verdicts as CSV or Parquet: a page at a time, so that a million take no more memory than one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

from .errors import ExtraMissing
from .filters import EVERYTHING, Filter
from .opening import Records
from .reading import MAX_PAGE, page
from .verdicts import Verdict

COLUMNS = (
    "id", "time", "category", "camera", "place", "verdict", "score", "threshold", "p_value",
    "alpha", "bank_version", "engine", "width", "height", "sha256", "photo_bytes", "photo_kept",
    "request_id", "key_name", "regions", "timings_ms",
    "decision", "defect", "boxes", "note", "reviewed_by", "reviewed_at",
)  # fmt: skip
# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# What is not text.
_KINDS: dict[str, type] = {
    **dict.fromkeys(("score", "threshold", "p_value", "alpha"), float),
    **dict.fromkeys(("width", "height", "photo_bytes"), int),
    **dict.fromkeys(("time", "reviewed_at"), datetime),
    "photo_kept": bool,
}
_ROWS_OF_A_GROUP = 10_000


def rows(records: Records, asked: Filter = EVERYTHING) -> Iterator[Verdict]:
    """The verdicts, newest first.

    Raises:
        RecordsUnavailable: the database cannot be read, also in the middle.
    """
    cursor = None
    while True:
        some = page(records, asked, cursor, MAX_PAGE)
        yield from some.verdicts
        if (cursor := some.next) is None:
            return


def csv_lines(records: Records, asked: Filter = EVERYTHING) -> Iterator[bytes]:
    """CSV in UTF-8: a line of names, then one per verdict, in pieces of some lines.

    A text that a spreadsheet would run as a formula stands behind a `'`.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS)
    writer.writeheader()
    for number, verdict in enumerate(rows(records, asked), 1):
        writer.writerow({name: _cell(value) for name, value in record(verdict).items()})
        if number % MAX_PAGE == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def check_parquet() -> None:
    """Raises ExtraMissing: the package that writes Parquet is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as exc:
        raise ExtraMissing(
            "Parquet needs a package that is not installed: pip install 'goodsguard[parquet]'"
        ) from exc


def write_parquet(records: Records, file: IO[bytes], asked: Filter = EVERYTHING) -> int:
    """Write a Parquet file; times are timestamps in UTC, regions, boxes and timings JSON texts.

    Returns:
        how many verdicts are in it.

    Raises:
        ExtraMissing: the package that writes it is not installed.
    """
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}
    kinds[datetime] = pa.timestamp("us", tz="UTC")
    schema = pa.schema([(name, kinds[_KINDS.get(name, str)]) for name in COLUMNS])
    number, group = 0, []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for verdict in rows(records, asked):
            group.append(record(verdict))
            number += 1
            if len(group) == _ROWS_OF_A_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group.clear()
        writer.write_table(pa.Table.from_pylist(group, schema))
    return number


def record(verdict: Verdict) -> dict[str, Any]:
    """A verdict's values by the names of COLUMNS, lists and tables as JSON."""
    review = verdict.review
    said = {name: getattr(verdict, name) for name in COLUMNS if hasattr(verdict, name)}
    return said | {
        "id": str(verdict.id),
        "regions": json.dumps(list(verdict.regions)),
        "timings_ms": json.dumps(dict(verdict.timings_ms)),
        "decision": verdict.decision,
        "defect": review and review.defect,
        "boxes": json.dumps([asdict(box) for box in review.boxes]) if review else None,
        "note": review and review.note,
        "reviewed_by": review and review.who,
        "reviewed_at": review and review.at,
    }


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value.isoformat() if hasattr(value, "isoformat") else value


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return text

"""Retention over 10,000 photos: what is left after days and bytes have had their turn.

    python -m bench.retention

Photos of some kilobytes each, of 100 days, written by the recorder as a service writes them; one in
20 is reviewed. Then retention runs as the upkeep runs it, first with days, then with ever fewer
bytes, until reviewed photos have to go, too. What is left is counted in the folder, not asked of
the database; both must agree.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from sqlalchemy import func, select

from app.cli import console
from app.records.keeping import PhotoPolicy
from app.records.mending import Mended, mend
from app.records.opening import Records, open_records
from app.records.reading import count, page
from app.records.retention import Limits, retain
from app.records.reviews import append
from app.records.schema import ThumbnailRow
from app.records.verdicts import Draft, Review, Verdict
from app.records.writing import Recorder
from bench import tables
from bench.machine import Figures, OutOption, QuickOption, Run

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAYS, REVIEWED_OF, PHOTO_DAYS = 100, 20, 30
# Of the bytes that days have left; the last is less than the reviewed photos take.
SHARES = (0.5, 0.25, 0.02)


def photo(rng: np.random.Generator, number: int) -> bytes:
    """A JPEG of 96 × 72 pixels; no two have the same bytes."""
    buffer = io.BytesIO()
    pixels = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((96, 72)).save(buffer, "JPEG", quality=int(rng.integers(40, 99)))
    return buffer.getvalue() + str(number).encode()


def fill(records: Records, number: int) -> float:
    """Write the photos, and review some; how many are written in a second."""
    rng = np.random.default_rng(0)
    drafts = [
        Draft(
            category="can", camera="shelf", verdict="normal",
            bank_version="20260101T000000Z-000000", engine="openvino int8", score=1.0,
            threshold=2.0, p_value=0.5, alpha=0.01, width=96, height=72, photo=photo(rng, i),
            time=_NOW - timedelta(days=DAYS * (1 - i / number)),
        )
        for i in range(number)
    ]  # fmt: skip
    recorder = Recorder(records, PhotoPolicy("all"), max_waiting=3 * number, min_free=0)
    start = time.perf_counter()
    for draft in drafts:
        recorder.put(draft)
    recorder.close(3600)
    seconds = time.perf_counter() - start
    assert recorder.state.photos_kept == number, recorder.state
    for draft in drafts[::REVIEWED_OF]:
        append(records, Review(verdict_id=draft.id, who="anna", decision="good"))
    return number / seconds


def files(records: Records) -> dict[str, int]:
    """What lies in the folder: sha256 and bytes."""
    return {sha256: records.photos.path(sha256).stat().st_size for sha256 in records.photos.all()}


def step(records: Records, name: str, limits: Limits, known: Mapping[str, Verdict]) -> Figures:
    """Retention once, and what it has left.

    Raises:
        AssertionError: it has kept or deleted what it must not.
    """
    before = files(records)
    start = time.perf_counter()
    retain(records, limits, _NOW)
    seconds = time.perf_counter() - start
    left = files(records)
    reviewed = {sha256 for sha256 in left if known[sha256].review}
    gone = [known[sha256] for sha256 in before.keys() - left.keys()]
    assert limits.photo_bytes is None or sum(left.values()) <= limits.photo_bytes
    oldest = min((known[s].time for s in left.keys() - reviewed), default=_NOW)
    assert limits.photo_days is None or oldest >= _NOW - timedelta(days=limits.photo_days)
    # The oldest first, and reviewed ones only where no other is left.
    assert max((v.time for v in gone if not v.review), default=oldest) <= oldest
    if any(v.review for v in gone):
        assert left.keys() == reviewed
        assert max(v.time for v in gone if v.review) <= min(known[s].time for s in reviewed)
    assert mend(records, 0) == Mended()  # folder and database agree
    return {
        "step": name,
        "limit_bytes": limits.photo_bytes,
        "photos": len(left),
        "bytes": sum(left.values()),
        "oldest_unreviewed_days": round((_NOW - oldest).total_seconds() / 86400, 2),
        "reviewed": len(reviewed),
        "deleted": len(gone),
        "seconds": round(seconds, 2),
    }


def all_of(records: Records) -> Iterator[Verdict]:
    """Every verdict."""
    cursor = None
    while True:
        some = page(records, cursor=cursor, size=1000)
        yield from some.verdicts
        if (cursor := some.next) is None:
            return


def markdown(figures: Figures) -> list[str]:
    """The table of retention.json."""
    return tables.table(
        ("retention", "limit", "photos left", "their size", "oldest without review, days",
         "reviewed", "s"),
        [
            [
                row["step"],
                tables.size(row["limit_bytes"]) if row["limit_bytes"] else "",
                f"{row['photos']:,}",
                tables.size(row["bytes"]),
                tables.number(row["oldest_unreviewed_days"]),
                f"{row['reviewed']:,}",
                tables.number(row["seconds"]),
            ]
            for row in figures["rows"]
        ],
    )  # fmt: skip


def main(
    photos: Annotated[int, typer.Option(min=100, help="How many.")] = 10_000,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Fill, retain, count, print, write retention.json."""
    run = Run("retention", out, 1, quick=quick)
    photos = 400 if quick else photos
    with TemporaryDirectory() as name, open_records(Path(name)) as records:
        per_second = fill(records, photos)
        known = {verdict.sha256: verdict for verdict in all_of(records)}
        rows = [
            step(records, "none", Limits(), known),
            step(records, f"{PHOTO_DAYS} days", Limits(photo_days=PHOTO_DAYS), known),
        ]
        size = rows[-1]["bytes"]
        for share in SHARES:
            limits = Limits(photo_days=PHOTO_DAYS, photo_bytes=int(share * size))
            rows.append(step(records, "and bytes", limits, known))
        assert count(records, limit=photos).number == photos  # verdicts outlive their photos
        with records.engine.connect() as connection:  # and thumbnails
            drawn = connection.scalar(select(func.count()).select_from(ThumbnailRow))
        assert drawn == photos
    figures: Figures = {
        "written": photos,
        "written_per_second": round(per_second, 1),
        "reviewed": len(range(0, photos, REVIEWED_OF)),
        "rows": rows,
    }
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

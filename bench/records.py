"""How long each question to a million verdicts takes.

    python -m bench.records
    python -m bench.records --url postgresql+psycopg://USER:PASSWORD@HOST/EMPTY_DATABASE

Rows as a store would leave them in some months, without thumbnails: some categories and cameras
have most of them, one of each has 100. Each question is asked many times over, of other values each
time; the file lies in the memory's cache, as it does while a service runs.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, get_args
from uuid import UUID

import numpy as np
import sqlalchemy
import typer
from PIL import Image
from sqlalchemy import insert, select, text

from app.cli import console, stop
from app.core.errors import GoodsGuardError
from app.records import review_queue
from app.records.filters import EVERYTHING, Filter
from app.records.ids import Ids
from app.records.keeping import ANOMALOUS, NEAR, REST, Keep, PhotoPolicy
from app.records.opening import Records, open_records
from app.records.reading import (
    count,
    histogram,
    known_cameras,
    neighbours,
    newest_per_camera,
    page,
    verdict,
)
from app.records.reviews import append, defect_types
from app.records.schema import ReviewRow, VerdictRow
from app.records.scores import reviewed_scores, scores
from app.records.transactions import writing as transaction
from app.records.verdicts import Draft, Review
from app.records.writing import Recorder
from bench import tables
from bench.machine import Figures, OutOption, QuickOption, Run

LIMIT_MS = 200.0
_END = datetime(2026, 11, 1, tzinfo=UTC)
_SECONDS_APART = 10
_RARE = 100
_AT_ONCE = 20_000
_VERDICTS = {"normal": 0.975, "anomalous": 0.02, "unusable": 0.005}
_DECISIONS = ("good", "defective", "unsure")

Ask = Callable[[Records, np.random.Generator], object]


@dataclass(frozen=True)
class Question:
    """What is asked; `ask` takes values of its own from the generator each time."""

    name: str
    ask: Ask


def fill(records: Records, number: int) -> list[UUID]:
    """Write the rows; the ids of some."""
    rng, ids, some = np.random.default_rng(0), Ids(), []
    for first in range(0, number, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, number))
        rows = list(_rows(numbers, number, rng, ids))
        some += [row["id"] for row in rows[::1000]]
        with transaction(records.engine) as connection:
            connection.execute(insert(VerdictRow), rows)
    reviewed = select(VerdictRow.number, VerdictRow.decision).where(
        VerdictRow.decision.is_not(None)
    )
    with transaction(records.engine) as connection:
        found = connection.execute(reviewed).all()
        connection.execute(
            insert(ReviewRow),
            [
                {
                    "id": ids.next(), "verdict_number": row.number, "who": "anna", "at": _END,
                    "decision": row.decision, "defect": f"type {row.number % 97}",
                    "defect_key": f"type {row.number % 97}", "boxes": [], "note": None,
                }
                for row in found
            ],
        )  # fmt: skip
    if records.engine.dialect.name == "postgresql":
        with transaction(records.engine) as connection:
            connection.execute(text("ANALYZE"))  # its own upkeep would have done so
    return some


def _rows(
    numbers: range, total: int, rng: np.random.Generator, ids: Ids
) -> Iterator[dict[str, Any]]:
    verdicts = rng.choice(list(_VERDICTS), len(numbers), p=list(_VERDICTS.values()))
    # Few have many: shares of 1, 1/2, 1/3, …
    categories, cameras = (rng.zipf(1.5, len(numbers)) % size for size in (10, 20))
    scores, reviewed = rng.gamma(4.0, 1.0, len(numbers)), rng.random(len(numbers))
    for i, number in enumerate(numbers):
        at = _END - timedelta(seconds=_SECONDS_APART * (total - number))
        unusable, anomalous = verdicts[i] == "unusable", verdicts[i] == "anomalous"
        score = float(scores[i]) + 10 * anomalous
        rare = number % (total // _RARE) == 0
        is_reviewed = reviewed[i] < (0.5 if anomalous else 0.002)
        yield {
            "id": ids.next(int(at.timestamp() * 1000)),
            "time": at,
            "category": "rare" if rare else f"category-{categories[i]}",
            "camera": "rare" if rare else f"camera-{cameras[i]}",
            "verdict": str(verdicts[i]),
            "decision": _DECISIONS[number % 3] if is_reviewed else None,
            "urgency": ANOMALOUS if anomalous else NEAR if score > 9.5 else REST,
            "bank_version": _version(1 + number * 9 // total),
            "engine": "openvino int8",
            "score": None if unusable else score,
            "threshold": 10.0,
            "p_value": None if unusable else 0.5,
            "alpha": 0.01,
            "width": 3000,
            "height": 3000,
            "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
            "photo_bytes": 900_000,
            "request_id": f"request-{number}",
            "key_name": "camera",
            "regions": [{"left": 1, "top": 2, "right": 3, "bottom": 4, "peak": score, "area": 4}]
            if anomalous
            else [],
            "timings_ms": {"decode": 21.0, "wait": 0.2, "embed": 9.8, "search": 4.1},
        }


def _version(month: int) -> str:
    return f"20260{month}01T000000Z-000000"


def filters(total: int) -> dict[str, Callable[[np.random.Generator], Filter]]:
    """By name, each as people ask: of what is frequent, rare, and not there at all."""
    length = timedelta(seconds=_SECONDS_APART * total)

    def category(rng: np.random.Generator) -> str:
        return f"category-{rng.integers(10)}"

    def camera(rng: np.random.Generator) -> str:
        return f"camera-{rng.integers(20)}"

    def span(rng: np.random.Generator, share: float) -> dict[str, datetime]:
        since = _END - length * float(rng.uniform(share, 1))
        return {"since": since, "until": since + length * share}

    return {
        "all": lambda _: EVERYTHING,
        "category": lambda rng: Filter(category=category(rng)),
        "rare category": lambda _: Filter(category="rare"),
        "camera": lambda rng: Filter(camera=camera(rng)),
        "rare camera": lambda _: Filter(camera="rare"),
        "unknown camera": lambda _: Filter(camera="nowhere"),
        "anomalous": lambda _: Filter(verdict="anomalous"),
        "unusable": lambda _: Filter(verdict="unusable"),
        "reviewed": lambda _: Filter(reviewed=True),
        "not reviewed": lambda _: Filter(reviewed=False),
        "defective": lambda _: Filter(decision="defective"),
        "a hundredth of the time": lambda rng: Filter(**span(rng, 0.01)),  # type: ignore[arg-type]
        "half of the time": lambda rng: Filter(**span(rng, 0.5)),  # type: ignore[arg-type]
        "scores of a third": lambda _: Filter(lowest=4.5),
        "scores of a tenth, both ends": lambda _: Filter(lowest=4.0, highest=4.1),
        "scores of a half, both ends": lambda _: Filter(lowest=3.0, highest=5.0),
        "scores of one in 10,000": lambda _: Filter(lowest=5.0, highest=5.0005),
        "scores of none": lambda _: Filter(lowest=1000.0),
        "category, scores of none": lambda rng: Filter(category=category(rng), lowest=1000.0),
        "camera, scores of none": lambda rng: Filter(camera=camera(rng), lowest=1000.0),
        "normal, scores of none": lambda _: Filter(verdict="normal", lowest=1000.0),
        "not reviewed, scores of none": lambda _: Filter(reviewed=False, lowest=1000.0),
        "category and camera": lambda rng: Filter(category=category(rng), camera=camera(rng)),
        "normal": lambda _: Filter(verdict="normal"),
        "normal, rare camera": lambda _: Filter(verdict="normal", camera="rare"),
        "not reviewed, unknown camera": lambda _: Filter(reviewed=False, camera="nowhere"),
        "anomalous, category, unknown camera": lambda rng: Filter(
            verdict="anomalous", category=category(rng), camera="nowhere"
        ),
        "unusable, scores of a third": lambda _: Filter(verdict="unusable", lowest=4.5),
        "defective, half of the time": lambda rng: Filter(
            decision="defective", **span(rng, 0.5),  # type: ignore[arg-type]
        ),
        "frequent category, scores of a third, rare camera": lambda _: Filter(
            category="category-1", camera="rare", lowest=4.5
        ),
        "frequent category, rare camera": lambda _: Filter(category="category-1", camera="rare"),
        "category, camera, anomalous, a tenth of the time": lambda rng: Filter(
            category=category(rng), camera=camera(rng), verdict="anomalous",
            **span(rng, 0.1),  # type: ignore[arg-type]
        ),
        "all at once": lambda rng: Filter(
            category=category(rng), camera=camera(rng), verdict="normal", reviewed=False,
            lowest=3.0, highest=5.0, **span(rng, 0.5),  # type: ignore[arg-type]
        ),
        "reviewed, normal, scores of none": lambda _: Filter(
            reviewed=True, verdict="normal", lowest=1000.0
        ),
    }  # fmt: skip


def questions(records: Records, total: int, some: list[UUID]) -> Iterator[Question]:
    """All that is asked."""
    yield Question("verdict by id", lambda r, rng: verdict(r, some[rng.integers(len(some))]))
    for name, make in filters(total).items():
        yield Question(f"page: {name}", lambda r, rng, make=make: page(r, make(rng)))  # type: ignore[misc]
    cursors = _cursors(records, total)
    yield Question(
        "page: any, by its cursor",
        lambda r, rng: page(r, EVERYTHING, cursors[rng.integers(len(cursors))]),
    )
    for name, make in filters(total).items():
        yield Question(f"count: {name}", lambda r, rng, make=make: count(r, make(rng)))  # type: ignore[misc]
    yield Question("newest per camera", lambda r, _: newest_per_camera(r))
    yield Question("cameras", lambda r, _: known_cameras(r))
    yield Question(
        "histogram: category", lambda r, rng: histogram(r, f"category-{rng.integers(10)}")
    )
    yield Question(
        "histogram: category, bank version",
        lambda r, rng: histogram(
            r, f"category-{rng.integers(10)}", _version(int(rng.integers(1, 10)))
        ),
    )
    week = _END - timedelta(days=7)
    yield Question(
        "scores of a week: frequent category",
        lambda r, _: scores(r, "category-1", [_version(9), _version(8)], week),
    )
    yield Question(
        "scores of a week: category, no such version",
        lambda r, rng: scores(r, f"category-{rng.integers(10)}", ["20200101T000000Z-000000"], week),
    )
    for decision in ("good", "defective"):
        yield Question(
            f"scores reviewed as {decision}: frequent category, all versions",
            lambda r, _, decision=decision: reviewed_scores(  # type: ignore[misc]
                r, "category-1", [_version(n) for n in range(1, 10)], decision
            ),
        )
    yield Question(
        "scores reviewed as good: rare category",
        lambda r, _: reviewed_scores(r, "rare", [_version(9)], "good"),
    )
    for name in (
        "all",
        "defective",
        "frequent category, rare camera",
        "all at once",
        "normal, scores of none",
    ):
        yield Question(
            f"neighbours: {name}",
            lambda r, rng, make=filters(total)[name]: neighbours(  # type: ignore[misc]
                r, some[rng.integers(len(some))], make(rng)
            ),
        )
    yield Question("defect types", lambda r, _: defect_types(r, "ty"))
    yield Question(
        "next to review", lambda r, rng: review_queue.next_unreviewed(r, f"anna-{rng.integers(9)}")
    )
    yield Question(
        "next to review: rare category",
        lambda r, rng: review_queue.next_unreviewed(r, f"bert-{rng.integers(9)}", "rare"),
    )
    yield Question("left to review", lambda r, _: review_queue.remaining(r))
    yield Question("left to review: category", lambda r, _: review_queue.remaining(r, "category-1"))
    yield Question(
        "a review",
        lambda r, rng: append(
            r, Review(verdict_id=some[rng.integers(len(some))], who="anna", decision="good")
        ),
    )


def _cursors(records: Records, total: int) -> list[str]:
    """Of places all over the records."""
    found = []
    for share in np.linspace(0.01, 0.99, 25):
        until = _END - timedelta(seconds=_SECONDS_APART * total * float(share))
        found.append(page(records, Filter(until=until), size=1).next)
    return [cursor for cursor in found if cursor]


def measure(records: Records, question: Question, times: int) -> Figures:
    """Milliseconds of one question."""
    rng, taken = np.random.default_rng(1), []
    question.ask(records, rng)
    for _ in range(times):
        start = time.perf_counter()
        question.ask(records, rng)
        taken.append(1000 * (time.perf_counter() - start))
    median, p95 = np.percentile(taken, [50, 95])
    return {
        "question": question.name,
        "median_ms": round(float(median), 2),
        "p95_ms": round(float(p95), 2),
        "max_ms": round(max(taken), 2),
    }


def measure_writing(records: Records, number: int) -> list[Figures]:
    """Verdicts of photos of 1200 x 900 pixels through the recorder: what a `put` takes, and how
    many are written in a second, hashed and drawn small."""
    rng, found = np.random.default_rng(2), []
    tile = Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    tile.resize((1200, 900)).save(buffer, "JPEG", quality=90)
    photo = buffer.getvalue()
    for keep in get_args(Keep):
        recorder = Recorder(records, PhotoPolicy(keep), max_waiting=number, max_bytes=1 << 40)
        drafts = [_draft(i, photo + f"{keep} {i}".encode()) for i in range(number)]
        taken, start = [], time.perf_counter()
        for draft in drafts:
            before = time.perf_counter()
            recorder.put(draft)
            taken.append(1e6 * (time.perf_counter() - before))
        recorder.close(600)
        seconds, state = time.perf_counter() - start, recorder.state
        assert state.written == number
        found.append(
            {
                "photos_kept": keep,
                "photo_bytes": len(photo),
                "put_us": round(float(np.median(taken)), 1),
                "put_p99_us": round(float(np.percentile(taken, 99)), 1),
                "written_per_second": round(number / seconds, 1),
            }
        )
    return found


def _draft(number: int, photo: bytes) -> Draft:
    return Draft(
        category="can", camera="shelf", verdict="anomalous" if number % 50 == 0 else "normal",
        bank_version="20260101T000000Z-000000", engine="openvino int8", score=1.0, threshold=2.0,
        p_value=0.5, alpha=0.01, width=1200, height=900, photo=photo,
        timings_ms={"decode": 21.0, "wait": 0.2, "embed": 9.8, "search": 4.1},
    )  # fmt: skip


def markdown(figures: Figures) -> list[str]:
    """The table of records.json."""
    return tables.table(
        ("question", "median ms", "p95 ms", "longest ms"),
        [
            [
                row["question"],
                *(tables.number(row[name]) for name in ("median_ms", "p95_ms", "max_ms")),
            ]
            for row in figures["rows"]
        ],
    ) + [
        f"Photos kept: {row['photos_kept']}. {tables.number(row['written_per_second'])} verdicts"
        f" written a second; a put takes {tables.number(row['put_us'])} µs (p99"
        f" {tables.number(row['put_p99_us'])})."
        for row in figures["writing"]
    ]


def main(
    rows: Annotated[int, typer.Option(min=1000, help="Verdicts.")] = 1_000_000,
    url: Annotated[str | None, typer.Option(help="An empty database; default: SQLite.")] = None,
    times: Annotated[int, typer.Option(min=1, help="How often each is asked.")] = 40,
    quick: QuickOption = False,
    out: OutOption = None,
) -> None:
    """Fill, ask, print, write records.json (of PostgreSQL records_postgresql.json)."""
    rows, times = (20_000, 5) if quick else (rows, times)
    with TemporaryDirectory() as folder:
        try:
            records = open_records(Path(folder), url)
        except GoodsGuardError as exc:
            raise stop(str(exc)) from exc
        with records:
            kind = records.engine.dialect.name
            run = Run("records" if kind == "sqlite" else f"records_{kind}", out, 1, quick=quick)
            start = time.perf_counter()
            some = fill(records, rows)
            filled = time.perf_counter() - start
            found = [measure(records, one, times) for one in questions(records, rows, some)]
            writing = measure_writing(records, max(50, rows // 2000))
            with records.engine.connect() as connection:
                server = connection.dialect.server_version_info
            size = sum(path.stat().st_size for path in Path(folder).glob("*.db*"))
    figures: Figures = {
        "database": f"{kind} {'.'.join(map(str, server or ()))}",
        "sqlalchemy": sqlalchemy.__version__,
        "verdicts": rows,
        "asked": times,
        "seconds_to_fill": round(filled, 1),
        "bytes": size or None,
        "over_200_ms": [row["question"] for row in found if row["p95_ms"] > LIMIT_MS],
        "writing": writing,
        "rows": found,
    }
    run.write(figures)
    console.print("\n".join(markdown(figures)), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)

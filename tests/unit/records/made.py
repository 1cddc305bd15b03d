"""Verdicts and photos for the tests of the records; nothing that loads torch, for processes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from PIL import Image

from app.records.keeping import PhotoPolicy
from app.records.opening import Records
from app.records.verdicts import Draft
from app.records.writing import Recorder

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = PhotoPolicy(keep="all")


@cache
def photo(number: int) -> bytes:
    """A photo of 40 x 30 pixels, another one for each number below 16 million."""
    colour = (number >> 16 & 255, number >> 8 & 255, number & 255)
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(buffer, "PNG")
    return buffer.getvalue()


def draft(number: int = 0, **changes: Any) -> Draft:
    """A verdict a minute after the one of the number before, of a photo of its own."""
    values: dict[str, Any] = {
        "category": "can",
        "camera": "shelf-1",
        "verdict": "normal",
        "bank_version": "20260101T000001Z-000000",
        "engine": "torch float32",
        "score": 1.0,
        "threshold": 2.0,
        "p_value": 0.5,
        "alpha": 0.01,
        "width": 40,
        "height": 30,
        "regions": [{"left": 1, "top": 2, "right": 3, "bottom": 4, "peak": 2.5, "area": 4}],
        "timings_ms": {"decode": 1.5, "total": 9.25},
        "request_id": f"request-{number}",
        "key_name": "camera-1",
        "time": START + timedelta(minutes=number),
        "photo": photo(number),
    }
    return Draft(**values | changes)


@contextmanager
def recording(records: Records, **options: Any) -> Iterator[Recorder]:
    """A recorder that has written all at the end."""
    recorder = Recorder(records, **{"policy": ALL, "min_free": 0, **options})
    try:
        yield recorder
        assert recorder.flush(30)
    finally:
        assert recorder.close(30)


def store(records: Records, drafts: Sequence[Draft], **options: Any) -> None:
    """Have them written."""
    with recording(records, **options) as recorder:
        for one in drafts:
            assert recorder.put(one)

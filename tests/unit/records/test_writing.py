from __future__ import annotations

import hashlib

import pytest

from app.records.errors import UnknownVerdict
from app.records.ids import uuid7
from app.records.opening import Records
from app.records.reading import page, thumbnail_of, verdict

from .made import draft, photo, store


def test_a_verdict_comes_back_as_it_was_put(records: Records) -> None:
    put = draft(3)
    store(records, [put])
    found = verdict(records, put.id)
    for name in ("category", "camera", "verdict", "bank_version", "engine", "score", "threshold",
                 "p_value", "alpha", "width", "height", "request_id", "key_name", "id", "time",
                 "regions", "timings_ms"):  # fmt: skip
        assert getattr(found, name) == getattr(put, name), name
    assert found.sha256 == hashlib.sha256(photo(3)).hexdigest()
    assert found.photo_bytes == len(photo(3))
    assert found.photo_kept
    assert found.decision is None
    assert records.photos.read(found.sha256) == photo(3)
    thumbnail = thumbnail_of(records, found.sha256)
    assert thumbnail is not None
    assert thumbnail[8:12] == b"WEBP"


def test_one_that_cannot_be_judged_comes_back_without_numbers(records: Records) -> None:
    put = draft(
        verdict="unusable", photo=b"no photo", camera=None, score=None, threshold=None,
        p_value=None, alpha=None, width=None, height=None, regions=(), request_id=None,
        key_name=None,
    )  # fmt: skip
    store(records, [put])
    found = verdict(records, put.id)
    assert (found.score, found.width, found.camera) == (None, None, None)
    assert thumbnail_of(records, found.sha256) is None


def test_one_that_nobody_put_is_unknown(records: Records) -> None:
    with pytest.raises(UnknownVerdict, match="no verdict"):
        verdict(records, uuid7())
    assert page(records).verdicts == []

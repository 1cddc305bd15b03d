"""The benches of retention and of what recording costs, on what they would be given."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.records.opening import open_records
from app.records.retention import Limits
from bench import recording, retention
from bench.recording import OFF, ON, Turn
from bench.service import Answer, Answers

PHOTOS = 60


def test_retention_keeps_what_it_must_and_the_bench_would_see_it_if_not(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        retention.fill(records, PHOTOS)
        known = {verdict.sha256: verdict for verdict in retention.all_of(records)}
        before = retention.step(records, "none", Limits(), known)
        assert (before["photos"], before["reviewed"]) == (PHOTOS, 3)
        after = retention.step(records, "days", Limits(photo_days=30), known)
        assert after["photos"] < before["photos"]
        assert after["reviewed"] == 3
        assert after["oldest_unreviewed_days"] <= 30
        # Were the photos younger than they are, the ones that go now would be the wrong ones.
        turned = {
            sha256: replace(one, time=retention._NOW - (one.time - retention._NOW + timedelta(200)))
            for sha256, one in known.items()
        }
        with pytest.raises(AssertionError):
            retention.step(records, "bytes", Limits(photo_bytes=after["bytes"] // 2), turned)


def turn(ms: float, cpu_ms: float) -> Turn:
    answers = tuple(Answer(200, ms, number * ms / 1000) for number in range(10))
    return Turn(Answers(answers, 0), cpu_ms)


def test_ratios_are_of_the_same_round() -> None:
    turns = {OFF: [turn(10, 20), turn(30, 20)], ON: [turn(11, 21), turn(33, 21)]}
    found = recording.compared(turns, 1)
    assert found["p50_ratio"]["median"] == pytest.approx(1.1)
    assert found["throughput_ratio"]["median"] == pytest.approx(1 / 1.1, abs=1e-3)
    assert found["cpu_ratio"]["median"] == pytest.approx(1.05)
    assert found["failed"] == 0
    lines = recording.markdown({"rows": [{"photos_kept": "anomalous", **found}]})
    assert "1.10" in lines[-1]


def test_a_processs_time_is_counted() -> None:
    before = recording.cpu_seconds(os.getpid())
    while recording.cpu_seconds(os.getpid()) < before + 0.02:
        sum(range(10_000))

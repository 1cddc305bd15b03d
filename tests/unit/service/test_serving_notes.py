from __future__ import annotations

from pathlib import Path

import pytest

from app.core.store import serving
from app.service.serving_notes import RENEW_S, ServingNotes
from tests.support import version_number

ONE, TWO = version_number(1), version_number(2)


def test_each_process_notes_for_itself(tmp_path: Path) -> None:
    first, second = ServingNotes(tmp_path), ServingNotes(tmp_path)
    first.tell({"can": ONE})
    second.tell({"can": TWO})
    assert serving.noted(tmp_path, "can") == {ONE, TWO}
    first.tell({"can": TWO})
    assert serving.noted(tmp_path, "can") == {TWO}


def test_what_could_not_be_noted_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / serving.SERVING).write_text("in the way")
    notes = ServingNotes(tmp_path)
    notes.tell({"can": ONE})
    (tmp_path / serving.SERVING).unlink()
    notes.renew()
    assert serving.noted(tmp_path, "can") == {ONE}


def test_they_are_due_every_ten_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    notes = ServingNotes(tmp_path)
    now += RENEW_S - 1
    assert not notes.are_due()
    now += 1
    assert notes.are_due()
    notes.renew()
    assert not notes.are_due()

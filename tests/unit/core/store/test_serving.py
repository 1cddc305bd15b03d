from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.core.store import serving
from tests.support import version_number

ONE, TWO = version_number(1), version_number(2)


def test_what_each_machine_serves_last_is_known(tmp_path: Path) -> None:
    serving.note(tmp_path, "can", ONE, machine="till")
    serving.note(tmp_path, "can", ONE, machine="back office/2")
    serving.note(tmp_path, "box", TWO, machine="till")
    assert serving.noted(tmp_path, "can") == {ONE}
    serving.note(tmp_path, "can", TWO, machine="till")
    assert serving.noted(tmp_path, "can") == {ONE, TWO}
    assert serving.noted(tmp_path, "bag") == set()


@pytest.mark.parametrize("text", ["", "latest", "../can", f"{ONE} {TWO}", "x" * 999])
def test_a_note_that_is_none_counts_for_nothing(tmp_path: Path, text: str) -> None:
    serving.note(tmp_path, "can", ONE)
    (tmp_path / serving.SERVING / "can" / "other").write_text(text)
    (tmp_path / serving.SERVING / "can" / "folder").mkdir()
    assert serving.noted(tmp_path, "can") == {ONE}


def test_notes_of_machines_that_are_long_gone_count_no_more(tmp_path: Path) -> None:
    for index in range(serving.MACHINES + 3):
        serving.note(tmp_path, "can", version_number(index), machine=f"m{index}")
        os.utime(tmp_path / serving.SERVING / "can" / f"m{index}", (index, index))
    newest = {version_number(index) for index in range(3, serving.MACHINES + 3)}
    assert serving.noted(tmp_path, "can") == newest

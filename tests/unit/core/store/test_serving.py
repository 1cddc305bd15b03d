from __future__ import annotations

import os
import time
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


def aged(models: Path, name: str, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(models / serving.SERVING / "can" / name, (at, at))


def test_processes_that_share_a_machines_name_note_apart(tmp_path: Path) -> None:
    serving.note(tmp_path, "can", ONE, process="a")
    serving.note(tmp_path, "can", TWO, process="b")
    assert serving.noted(tmp_path, "can") == {ONE, TWO}


def test_a_note_counts_until_it_is_not_renewed_for_a_week(tmp_path: Path) -> None:
    for index in range(40):
        serving.note(tmp_path, "can", version_number(index), machine=f"m{index}", process="a")
    everything = {version_number(index) for index in range(40)}
    aged(tmp_path, "m0-a", serving.KEPT_S - 60)
    assert serving.noted(tmp_path, "can") == everything
    aged(tmp_path, "m0-a", serving.KEPT_S + 60)
    assert serving.noted(tmp_path, "can") == everything - {version_number(0)}


def test_a_renewed_note_counts_again_and_one_that_is_gone_is_written(tmp_path: Path) -> None:
    serving.note(tmp_path, "can", ONE, process="a")
    (file,) = (tmp_path / serving.SERVING / "can").iterdir()
    aged(tmp_path, file.name, serving.KEPT_S + 60)
    assert serving.noted(tmp_path, "can") == set()
    serving.renew(tmp_path, "can", ONE, process="a")
    assert serving.noted(tmp_path, "can") == {ONE}
    file.unlink()
    serving.renew(tmp_path, "can", ONE, process="a")
    assert serving.noted(tmp_path, "can") == {ONE}


def test_a_process_that_restarts_time_and_again_leaves_few_notes(tmp_path: Path) -> None:
    for index in range(5):
        serving.note(tmp_path, "can", ONE, machine="till", process=f"p{index}")
        aged(tmp_path, f"till-p{index}", serving.QUIET_S + 60)
    serving.note(tmp_path, "can", ONE, machine="bar", process="p")
    serving.note(tmp_path, "can", TWO, machine="till", process="last")
    names = {file.name for file in (tmp_path / serving.SERVING / "can").iterdir()}
    assert names == {"till-p4", "bar-p", "till-last"}
    assert serving.noted(tmp_path, "can") == {ONE, TWO}


def test_a_broken_note_costs_no_other(tmp_path: Path) -> None:
    serving.note(tmp_path, "can", ONE)
    folder = tmp_path / serving.SERVING / "can"
    (folder / "dead").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    assert serving.noted(tmp_path, "can") == {ONE}
    serving.note(tmp_path, "can", TWO, process="a")
    assert serving.noted(tmp_path, "can") == {ONE, TWO}

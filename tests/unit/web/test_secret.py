from __future__ import annotations

import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.web.secret import FILE, session_secret


def test_the_setting_counts(tmp_path: Path) -> None:
    assert session_secret("x" * 40, tmp_path) == b"x" * 40
    assert list(tmp_path.iterdir()) == []


def test_it_is_made_once_and_kept_for_oneself(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    first = session_secret(None, folder)
    assert len(first) >= 32
    assert session_secret(None, folder) == first
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert (folder / FILE).stat().st_mode & 0o077 == 0


def test_many_at_once_get_the_same(tmp_path: Path) -> None:
    found: list[bytes] = []
    begin = threading.Barrier(16)

    def make() -> None:
        begin.wait()
        found.append(session_secret(None, tmp_path))

    threads = [threading.Thread(target=make) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("content", ["", "short"])
def test_a_file_that_holds_no_secret_is_told_and_not_used(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with capture_logs() as logs:
        one, two = session_secret(None, tmp_path), session_secret(None, tmp_path)
    assert one != two
    assert "delete it" in logs[0]["reason"]


def test_without_a_folder_each_start_has_its_own() -> None:
    assert session_secret(None, None) != session_secret(None, None)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with capture_logs() as logs:
        assert len(session_secret(None, tmp_path / "file")) >= 32
    assert logs[0]["log_level"] == "warning"

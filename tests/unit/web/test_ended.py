from __future__ import annotations

import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.web import ended as module
from app.web.ended import Ended

LATER = 2_000_000_000.0


def test_another_process_knows_it_and_so_does_the_next(tmp_path: Path) -> None:
    path = tmp_path / "records/ended"
    mine, others = Ended(path), Ended(path)
    assert "a" not in others
    mine.add("a", LATER)
    assert "a" in mine
    assert "a" in others
    assert "a" in Ended(path)
    assert "b" not in others
    assert path.stat().st_mode & 0o077 == 0


def test_without_a_file_one_process_knows() -> None:
    mine = Ended(None)
    mine.add("a", LATER)
    assert "a" in mine


def test_what_is_over_by_itself_goes(tmp_path: Path) -> None:
    clock = [1000.0]
    path = tmp_path / "ended"
    mine = Ended(path, lambda: clock[0])
    number = module._TIDY_BYTES // 20
    path.write_text("".join(f"{n:015} 1001\n" for n in range(number)))
    clock[0] = 2000
    mine.add("new", 3000)
    mine.add("newer", 3000)
    assert path.stat().st_size < 100
    assert "new" in Ended(path)
    assert "newer" in Ended(path)


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    path = tmp_path / "ended"

    def end(who: int) -> None:
        mine = Ended(path)
        for number in range(20):
            mine.add(f"{who}-{number}", LATER)

    threads = [threading.Thread(target=end, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = Ended(path)
    assert all(f"{who}-{number}" in known for who in range(8) for number in range(20))


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mine = Ended(tmp_path / "file/ended")
    with capture_logs() as logs:
        mine.add("a", LATER)
    assert "a" in mine
    assert logs[0]["log_level"] == "warning"


@given(st.binary(max_size=200))
def test_a_file_of_anything_is_passed_over(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ended"
        path.write_bytes(content)
        mine = Ended(path)
        assert "a-session" not in mine
        mine.add("a-session", LATER)
        assert "a-session" in mine

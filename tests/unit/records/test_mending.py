from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app.core.files import PARTIAL
from app.records.deleting import delete_photos
from app.records.mending import Mended, mend
from app.records.opening import Records
from app.records.photos import PhotoFiles
from app.records.reading import page
from app.records.retention import Limits
from app.records.transactions import writing
from app.records.upkeep import RecordsUpkeep

from .made import draft, photo, recording, store


def age(path: Path, seconds: float = 7200) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_where_both_agree_nothing_happens(records: Records) -> None:
    assert mend(records) == Mended()  # no folder yet
    store(records, [draft(number) for number in range(3)])
    for sha256 in records.photos.all():
        age(records.photos.path(sha256))
    assert mend(records) == Mended()
    assert len(list(records.photos.all())) == 3


def test_a_file_without_a_row_goes_once_it_is_old(records: Records) -> None:
    stray = "ab" * 32
    records.photos.write(stray, b"x")
    assert mend(records) == Mended()  # its row may be about to be written
    age(records.photos.path(stray))
    assert mend(records) == Mended(files=1)
    assert list(records.photos.all()) == []


def test_a_row_without_its_file_goes(records: Records) -> None:
    store(records, [draft(number) for number in range(3)])
    gone, half, whole = (one.sha256 for one in page(records).verdicts)
    records.photos.path(gone).unlink()
    records.photos.path(half).write_bytes(b"ha")
    assert mend(records) == Mended(rows=2)
    assert [one.photo_kept for one in page(records).verdicts] == [False, False, True]
    assert list(records.photos.all()) == [whole]


def test_halves_of_files_go_once_they_are_old(records: Records) -> None:
    folder = records.photos.folder / "ab"
    folder.mkdir(parents=True)
    (folder / f"{PARTIAL}0-cd").write_bytes(b"ha")
    assert mend(records) == Mended()
    age(folder / f"{PARTIAL}0-cd")
    assert mend(records) == Mended(partial=1)


def test_what_is_not_ours_stays(records: Records) -> None:
    records.photos.folder.mkdir(parents=True)
    strange = [records.photos.folder / "README", records.photos.folder / "ab" / "notes.txt"]
    for path in strange:
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        age(path)
    assert mend(records) == Mended()
    assert all(path.exists() for path in strange)


def test_a_photo_that_is_put_again_gets_its_file_back(records: Records) -> None:
    store(records, [draft()])
    (sha256,) = records.photos.all()
    records.photos.remove(sha256)
    store(records, [draft()])
    assert records.photos.read(sha256) == photo(0)


@pytest.mark.parametrize("sha256", ["", "../" * 21 + "x", "AB" * 32, "ab" * 31, "ab" * 32 + "\n"])
def test_nothing_leads_out_of_the_folder(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        PhotoFiles(tmp_path).read(sha256)


def test_upkeep_does_both_by_itself(records: Records) -> None:
    store(records, [draft(number) for number in range(3)])
    stray = "ab" * 32
    records.photos.write(stray, b"x")
    age(records.photos.path(stray))
    upkeep = RecordsUpkeep(records, Limits(photo_bytes=0), every_s=0.05)
    try:
        until = time.monotonic() + 20
        while list(records.photos.all()):
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        assert upkeep.close(10)


def test_a_photo_that_goes_while_it_comes_is_written_once_more(records: Records) -> None:
    """The recorder has written the file and waits for its turn; retention removes the photo."""
    store(records, [draft(0)])
    (sha256,) = records.photos.all()
    with recording(records) as recorder:
        with writing(records.engine) as connection:
            records.photos.remove(sha256)
            assert recorder.put(draft(1, photo=photo(0)))
            until = time.monotonic() + 20
            while not records.photos.holds(sha256, len(photo(0))):
                assert time.monotonic() < until
                time.sleep(0.01)
            assert delete_photos(records, connection, [sha256]).photos == 1
            assert records.photos.read(sha256) is None
        assert recorder.flush(20)
    assert records.photos.read(sha256) == photo(0)
    assert [one.photo_kept for one in page(records).verdicts] == [True, True]
    assert mend(records, older_than_s=-1) == Mended()

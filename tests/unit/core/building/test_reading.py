from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.building.reading import read_batches
from app.core.photo.formats.kinds import EMPTY
from tests.support import GREYS, colour_extractor, encode, plain, write_photos


def test_photos_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    paths = write_photos(tmp_path, [plain(g) for g in range(0, 250, 5)])
    batches = read_batches(paths, colour_extractor(), batch_size=7)
    assert [photo.path for photos, _ in batches for photo in photos] == paths


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4, 2]), (10, [10]), (16, [10])])
def test_batches_have_the_size_asked_for(tmp_path: Path, batch_size: int, sizes: list[int]) -> None:
    paths = write_photos(tmp_path, [plain(g) for g in GREYS])
    batches = read_batches(paths, colour_extractor(), batch_size=batch_size)
    assert [len(photos) for photos, _ in batches] == sizes


def test_each_path_comes_with_its_own_pixels(tmp_path: Path) -> None:
    paths = write_photos(tmp_path, [plain(g) for g in GREYS])
    ((photos, _),) = read_batches(paths, colour_extractor())
    assert [int(np.unique(p.prepared.pixels).item()) for p in photos] == list(GREYS)


def test_unreadable_files_are_reported_and_the_others_read(tmp_path: Path) -> None:
    paths = write_photos(tmp_path, [plain(g) for g in (10, 20, 30)])
    paths[1].write_bytes(b"no image")
    ((photos, broken),) = read_batches(paths, colour_extractor())
    assert [photo.path for photo in photos] == [paths[0], paths[2]]
    assert [(u.path, "not an image" in u.reason) for u in broken] == [(paths[1], True)]


def test_a_file_that_went_away_is_unreadable(tmp_path: Path) -> None:
    ((photos, broken),) = read_batches([tmp_path / "gone.png"], colour_extractor())
    assert photos == []
    assert "cannot be read" in broken[0].reason


def test_the_pixel_limit_holds_for_files_too(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(encode(plain(9, (50, 50))))
    ((_, broken),) = read_batches([path], colour_extractor(), max_pixels=2499)
    assert "2,499" in broken[0].reason
    assert "--max-pixels" in broken[0].reason


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    ((_, broken),) = read_batches([tmp_path / "empty.png"], colour_extractor())
    assert broken[0].reason == EMPTY


def test_a_folder_with_a_photos_name_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    ((photos, broken),) = read_batches([tmp_path / "folder.png"], colour_extractor())
    assert not photos
    assert "cannot be read" in broken[0].reason


def test_no_paths_give_no_batches() -> None:
    assert list(read_batches([], colour_extractor())) == []

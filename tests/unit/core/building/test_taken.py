from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.building.groups import group
from app.core.building.taken import Order, orders
from tests.unit.core.building.test_visits import parts, photos_of, samples

DAY = datetime(2026, 11, 2, 9, 0)


def photo(path: Path, taken: datetime | str | None = None) -> Path:
    exif = Image.Exif()
    if taken is not None:
        text = taken if isinstance(taken, str) else taken.strftime("%Y:%m:%d %H:%M:%S")
        exif[0x0132] = text  # all that Pillow writes to TIFF
        exif.get_ifd(0x8769)[0x9003] = text
    Image.new("RGB", (16, 16)).save(path, exif=exif)
    return path


def proposed(paths: Sequence[Path], labels: Sequence[str] = ()) -> list[Order]:
    return list(orders([[path] for path in paths], labels or [""] * len(paths)))


def kinds(found: Sequence[Order]) -> list[str]:
    return [order.by for order in found]


def test_the_cameras_clock_comes_first_and_files_times_are_not_asked(tmp_path: Path) -> None:
    minutes = [3, 0, 2, 1, 95]
    paths = [
        photo(tmp_path / f"{i}.jpg", DAY + timedelta(minutes=m)) for i, m in enumerate(minutes)
    ]
    clock, numbers = proposed(paths)
    assert kinds([clock, numbers]) == ["the times in the photos", "the numbers in their names"]
    assert [row.tolist() for row in clock.sequences] == [[1, 3, 2, 0, 4]]
    assert clock.begins == {4}
    assert [row.tolist() for row in numbers.sequences] == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_times_are_read_from_each_format(tmp_path: Path, ending: str) -> None:
    paths = [photo(tmp_path / f"{i}.{ending}", DAY - timedelta(minutes=i)) for i in range(3)]
    assert [row.tolist() for row in proposed(paths)[0].sequences] == [[2, 1, 0]]


@pytest.mark.parametrize("text", ["", "yesterday", "0000:00:00 00:00:00", None])
def test_a_clock_that_was_never_set_tells_nothing(tmp_path: Path, text: str | None) -> None:
    paths = [photo(tmp_path / f"{i}.jpg", text) for i in range(4)]
    assert "the times in the photos" not in kinds(proposed(paths))


def test_one_time_for_all_photos_is_no_order(tmp_path: Path) -> None:
    assert kinds(proposed([photo(tmp_path / f"{i}.jpg", DAY) for i in range(4)])) == [
        "the numbers in their names"
    ]


def test_files_times_are_asked_where_the_camera_says_nothing_and_they_differ(
    tmp_path: Path,
) -> None:
    paths = [photo(tmp_path / f"{name}.png") for name in ("9c1e", "03ab", "77d0")]
    for path, time in zip(paths, (30, 10, 20), strict=True):
        os.utime(path, (time, time))
    found = proposed(paths)
    assert kinds(found) == ["the numbers in their names", "the files' times"]
    assert [row.tolist() for row in found[1].sequences] == [[1, 2, 0]]
    for path in paths:
        os.utime(path, (30, 30))
    assert kinds(proposed(paths)) == ["the numbers in their names"]


def test_numbers_go_on_within_a_label_a_folder_and_a_form_of_name() -> None:
    names = ["x/a2.png", "x/a10.png", "y/a3.png", "x/b4.png", "x/a1.png", "x/none.png"]
    (found,) = proposed([Path(name) for name in names], ["s", "s", "s", "s", "t", "s"])
    assert sorted(row.tolist() for row in found.sequences) == [[0, 1], [2], [3], [4]]


VISITS = [i // 5 for i in range(60)]


def scattered(folder: Path, times: Sequence[datetime]) -> list[Path]:
    """Photos whose names say nothing."""
    numbers = np.random.default_rng(0).permutation(len(times))
    return [photo(folder / f"{n:04}.jpg", time) for n, time in zip(numbers, times, strict=True)]


def test_likeness_confirms_the_clock_where_names_are_shuffled(tmp_path: Path) -> None:
    paths = scattered(tmp_path, [DAY + timedelta(seconds=10 * i) for i in range(60)])
    found = group(paths, "auto", samples(photos_of(([0] * 60, VISITS), 0)))
    assert (found.by, parts(found.names)) == ("visit", parts(VISITS))
    assert "told by the times in the photos" in found.sentence


def test_who_comes_back_after_a_pause_makes_a_new_visit(tmp_path: Path) -> None:
    """Every other visit is to the place of the one before, an hour later."""
    times = [DAY + timedelta(hours=i // 5, seconds=10 * i) for i in range(60)]
    vectors = photos_of(([0] * 60, [visit // 2 for visit in VISITS]), 1)
    alike = group([Path(f"good/{i:04}.jpg") for i in range(60)], "auto", samples(vectors))
    assert alike.count == 6
    found = group(scattered(tmp_path, times), "auto", samples(vectors))
    assert parts(found.names) == parts(VISITS)


def test_times_that_likeness_does_not_confirm_are_not_used(tmp_path: Path) -> None:
    times = np.random.default_rng(3).permutation(60)
    paths = scattered(tmp_path, [DAY + timedelta(seconds=int(t)) for t in times])
    found = group(paths, "auto", samples(photos_of(([0] * 60, VISITS), 2)))
    assert "the times" not in found.sentence
    assert "their likeness alone" in found.sentence

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs

from app.core.errors import CameraUnavailable, UnknownCamera
from app.core.lookout import LOOK_EVERY_S
from app.core.photo.box import Box
from app.service import cameras as cameras_module
from app.service.cameras import Cameras
from app.service.cameras_file import Camera, CamerasError, read_cameras
from tests.support import encode

TWO = """
[cameras.till]
crop = [0.25, 0.0, 0.75, 1.0]

[cameras.shelf-3]
crop = [0.0, 0.5, 1.0, 1.0]
mask = "masks/shelf.png"

[[cameras.shelf-3.places]]
name = "left"
category = "can"
crop = [0.0, 0.0, 0.5, 1.0]

[[cameras.shelf-3.places]]
name = "right, below"
category = "box"
crop = [0.5, 0.5, 1.0, 1.0]
"""


def mask_of(white: tuple[int, int, int, int], size: tuple[int, int] = (40, 20)) -> bytes:
    picture = Image.new("L", size)
    picture.paste(255, white)
    return encode(picture)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "shelf.png").write_bytes(mask_of((0, 0, 40, 20)))
    file = tmp_path / "cameras.toml"
    file.write_text(TWO, encoding="utf-8")
    return file


@pytest.fixture
def cameras(path: Path, clock: Clock) -> Cameras:
    return Cameras(path, clock=clock)


def refreshed(cameras: Cameras, clock: Clock) -> Cameras:
    clock.seconds += LOOK_EVERY_S
    asyncio.run(cameras.refresh())
    return cameras


def one(text: str, folder: Path) -> Camera | str:
    return read_cameras(f"[cameras.one]\n{text}".encode(), folder).cameras["one"]


def test_a_camera_has_its_crop_its_mask_and_its_places_in_order(cameras: Cameras) -> None:
    till, shelf = cameras.find("till"), cameras.find("shelf-3")
    assert (till.view.crop, till.view.mask, till.places) == (Box(0.25, 0, 0.75, 1), None, ())
    assert shelf.view.mask is not None
    assert [(p.name, p.category) for p in shelf.places] == [
        ("left", "can"),
        ("right, below", "box"),
    ]
    # In shares of the camera's crop, which is the lower half.
    assert shelf.places[0].view.crop == Box(0, 0.5, 0.5, 1)
    assert shelf.places[1].view.crop == Box(0.5, 0.75, 1, 1)
    assert all(place.view.mask is shelf.view.mask for place in shelf.places)


def test_all_cameras_are_known_with_their_faults(
    cameras: Cameras, path: Path, clock: Clock
) -> None:
    assert cameras.known == {"till": None, "shelf-3": None}
    assert cameras.fault is None
    path.write_text("[cameras.bent]\ncrop = 1\n[cameras.till]\n", encoding="utf-8")
    known = refreshed(cameras, clock).known
    assert known["till"] is None
    assert "crop" in str(known["bent"])
    path.write_text("[cameras.", encoding="utf-8")
    assert "not TOML" in str(refreshed(cameras, clock).fault)
    assert cameras.known == known  # as they were
    assert Cameras().known == {}


def test_white_of_a_mask_is_looked_at_and_a_polygon_likewise(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(mask_of((0, 0, 20, 20)))
    left_half = [one('mask = "m.png"', tmp_path)]
    left_half.append(one("polygon = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]", tmp_path))
    for camera in left_half:
        assert isinstance(camera, Camera)
        mask = camera.view.mask
        assert mask is not None
        middle = mask.shape[1] // 2
        np.testing.assert_allclose(mask[:, :middle], 1)
        np.testing.assert_allclose(mask[:, middle + 1 :], 0)


def test_an_unknown_camera_is_told_which_there_are(cameras: Cameras) -> None:
    with pytest.raises(UnknownCamera, match=r"there are: shelf-3, till$"):
        cameras.find("shelf-4")


def test_without_a_file_there_are_none() -> None:
    cameras = Cameras()
    asyncio.run(cameras.refresh(now=True))
    with pytest.raises(UnknownCamera, match="GOODSGUARD_CAMERAS"):
        cameras.find("till")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("crop = [0.5, 0, 0.4, 1]", "crop: a box is [left, top, right, bottom]"),
        ("crop = [0.5, 0, 0.51, 1]", "thinner than 2%"),
        ("crop = [0, 0, 1]", "crop"),
        ("crop = [0, 0, 1, nan]", "crop"),
        ("zoom = 2", "zoom"),
        ('mask = "none.png"', "its mask none.png cannot be read: No such file"),
        ('mask = "a\\u0000b"', "cannot be read"),
        ('mask = "cameras.toml"', "its mask cameras.toml cannot be read: "),
        ('mask = "black.png"', "its mask covers all of its crop"),
        ('crop = [0.5, 0, 1, 1]\nmask = "left.png"', "its mask covers all of its crop"),
        ('mask = "left.png"\npolygon = [[0, 0], [1, 0], [1, 1]]', "a mask or a polygon, not both"),
        ("polygon = [[0, 0], [1, 1]]", "polygon"),
        ("polygon = [[0, 0], [1, 0], [1, 2]]", "from 0 to 1"),
        ("[[cameras.one.places]]\nname = 'a'\ncategory = 'can'", "places.0.crop"),
        (
            "[[cameras.one.places]]\nname = 'a'\ncategory = 'can'\ncrop = [0, 0, 1, 1]\n" * 2,
            "two places have the name 'a'",
        ),
        (
            'mask = "left.png"\n[[cameras.one.places]]\nname = "a"\ncategory = "can"\n'
            "crop = [0.5, 0, 1, 1]",
            "its mask covers all of the place 'a'",
        ),
    ],
)
def test_one_cameras_fault_is_told_and_costs_no_other(
    path: Path, clock: Clock, text: str, reason: str
) -> None:
    (path.parent / "black.png").write_bytes(mask_of((0, 0, 0, 0)))
    (path.parent / "left.png").write_bytes(mask_of((0, 0, 20, 20)))
    path.write_text(f"{TWO}\n[cameras.one]\n{text}\n", encoding="utf-8")
    with capture_logs() as logs:
        cameras = Cameras(path, clock=clock)
    assert cameras.find("till").name == "till"
    assert cameras.names == ["one", "shelf-3", "till"]
    with pytest.raises(CameraUnavailable) as caught:
        cameras.find("one")
    assert reason in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    assert [line["camera"] for line in logs if line["log_level"] == "error"] == ["one"]


def test_a_table_in_anothers_place_is_that_cameras_fault(path: Path, clock: Clock) -> None:
    path.write_text("cameras.one = 3\ncameras.two = {}\n", encoding="utf-8")
    cameras = Cameras(path, clock=clock)
    assert cameras.find("two").view.crop == Box(0, 0, 1, 1)
    with pytest.raises(CameraUnavailable, match=r"a table \[cameras.NAME\]"):
        cameras.find("one")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[cameras.", "not TOML"),
        (b"\xff", "not UTF-8"),
        (b"cameras = 3", "must hold tables"),
        (b"[camera.one]", "unknown entries: camera"),
    ],
)
def test_a_file_that_holds_no_cameras_is_refused_whole(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(CamerasError, match=reason):
        read_cameras(content, tmp_path)


def test_a_changed_file_is_taken_up(cameras: Cameras, path: Path, clock: Clock) -> None:
    path.write_text("[cameras.new]\n", encoding="utf-8")
    asyncio.run(cameras.refresh())
    assert cameras.find("till"), "it is looked at once a second, not at every request"
    assert refreshed(cameras, clock).names == ["new"]


def test_told_to_it_is_taken_up_at_once(cameras: Cameras, path: Path) -> None:
    path.write_text("[cameras.new]\n", encoding="utf-8")
    asyncio.run(cameras.refresh(now=True))
    assert cameras.names == ["new"]


def test_a_changed_mask_is_taken_up_though_size_and_time_stay(
    cameras: Cameras, path: Path, clock: Clock
) -> None:
    file = path.parent / "masks" / "shelf.png"
    before, old = file.stat(), cameras.find("shelf-3").view.mask
    file.write_bytes(mask_of((0, 10, 40, 20)))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    new = refreshed(cameras, clock).find("shelf-3").view.mask
    assert old is not None
    assert new is not None
    assert (old.mean(), new.mean()) == (1.0, 0.5)


def test_a_camera_serves_again_once_its_mask_is_there(
    cameras: Cameras, path: Path, clock: Clock
) -> None:
    file = path.parent / "masks" / "shelf.png"
    content = file.read_bytes()
    file.unlink()
    refreshed(cameras, clock)
    with pytest.raises(CameraUnavailable):
        cameras.find("shelf-3")
    assert cameras.find("till")
    file.write_bytes(content)
    assert refreshed(cameras, clock).find("shelf-3").view.mask is not None


def test_what_has_not_changed_is_not_read_again(
    cameras: Cameras, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras_module, "read_cameras", None)
    assert refreshed(cameras, clock).find("shelf-3")


def break_(path: Path) -> None:
    path.write_text("[cameras.")


def fill(path: Path) -> None:
    path.write_bytes(b"#" * (2 << 20))


@pytest.mark.parametrize("spoil", [break_, fill, Path.unlink])
def test_an_unusable_file_leaves_the_cameras_as_they_were_and_is_logged_once(
    cameras: Cameras, path: Path, clock: Clock, spoil: Callable[[Path], None]
) -> None:
    with capture_logs() as logs:
        spoil(path)
        for _ in range(3):
            assert refreshed(cameras, clock).find("till")
    assert [line["log_level"] for line in logs] == ["error"]
    path.write_text("[cameras.new]\n", encoding="utf-8")
    assert refreshed(cameras, clock).names == ["new"]


@pytest.mark.parametrize("spoil", [break_, fill, Path.unlink])
def test_a_file_that_is_unusable_at_the_start_stops_only_those_who_name_a_camera(
    path: Path, clock: Clock, spoil: Callable[[Path], None]
) -> None:
    good = path.read_bytes()
    spoil(path)
    cameras = Cameras(path, clock=clock)
    with pytest.raises(CameraUnavailable, match="the cameras file") as caught:
        cameras.find("till")
    assert str(path.parent) not in str(caught.value)
    path.write_bytes(good)
    assert refreshed(cameras, clock).find("till")

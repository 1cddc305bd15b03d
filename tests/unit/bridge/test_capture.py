from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.bridge import capture as capture_module
from app.bridge.capture import Capture, beat_s
from app.bridge.collection import Collection
from app.bridge.config import Config
from app.bridge.config_file import ConfigFile
from app.bridge.frames import Frame
from app.bridge.small_grey import NotAPhoto
from tests.support import encode, textured
from tests.unit.bridge.sources.serving import Camera, Headers, plain, serving

ITEMS = [Image.fromarray(np.roll(np.asarray(textured(320, 240)), 40 * n, axis=1)) for n in range(6)]


def photo(item: int, *, noise: int = 0, light: float = 1.0) -> bytes:
    """The item, as a camera takes it again and again."""
    grain = np.random.default_rng(noise).normal(0, 6, (240, 320, 3))
    pixels = np.asarray(ITEMS[item], dtype=np.float32) * light * 0.8 + 20 + grain
    return encode(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), "JPEG", quality=80)


def files(collection: Collection) -> list[Path]:
    return sorted(collection.folder.iterdir())


def test_photos_that_show_the_same_are_left_out(tmp_path: Path) -> None:
    collection = Collection.opened(tmp_path, "can", wanted=10, alpha=0.25)
    kept = [
        collection.add(Frame.now("shelf 3", photo(item, noise=noise, light=light)))
        for item, noise, light in ((0, 1, 1), (0, 2, 1), (0, 3, 1.03), (1, 4, 1), (0, 5, 0.97))
    ]
    assert kept == [True, False, False, True, False]
    assert (collection.photos, collection.alike, len(files(collection))) == (2, 3, 2)
    assert all(path.name.startswith("shelf_3_") for path in files(collection))
    assert {path.read_bytes() for path in files(collection)} == {
        photo(0, noise=1),
        photo(1, noise=4),
    }


def test_a_small_change_is_a_new_photo(tmp_path: Path) -> None:
    """One item of many in the picture."""
    collection = Collection.opened(tmp_path, "can", wanted=10, alpha=0.01)
    changed = ITEMS[0].copy()
    changed.paste((20, 20, 20), (100, 100, 125, 120))
    assert collection.add(Frame.now("a", encode(ITEMS[0], "PNG")))
    assert collection.add(Frame.now("a", encode(changed, "PNG")))


def test_what_lies_there_already_counts(tmp_path: Path) -> None:
    first = Collection.opened(tmp_path, "can", wanted=3, alpha=0.01)
    first.add(Frame.now("a", photo(0)))
    first.add(Frame.now("a", photo(1)))
    (first.folder / "broken.jpg").write_bytes(b"x")
    again = Collection.opened(tmp_path, "can", wanted=3, alpha=0.01)
    assert again.photos == 2
    assert not again.add(Frame.now("a", photo(1, noise=9)))
    assert not again.is_full
    again.add(Frame.now("a", photo(2)))
    assert again.is_full


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    collection = Collection.opened(tmp_path, "can", wanted=5, alpha=0.25)
    where = collection.folder
    assert collection.needed == 3
    assert collection.told() == (
        f"can: 0 photos in {where}; 3 more for a false-alarm rate of 0.25, 5 more until 5"
    )
    for item in (0, 0, 1, 2, 3, 4):
        collection.add(Frame.now("a", photo(item)))
    assert collection.told() == (
        f"can: 5 photos in {where}, 1 left out that show what another shows; "
        "enough for a false-alarm rate of 0.25, complete"
    )


def test_what_is_no_photo_is_not_kept(tmp_path: Path) -> None:
    collection = Collection.opened(tmp_path, "can", wanted=5, alpha=0.25)
    with pytest.raises(NotAPhoto):
        collection.add(Frame.now("a", b"\xff\xd8\xff no"))
    assert files(collection) == []


def config(folder: Path, cameras: str, photos: int) -> Config:
    path = folder / "bridge.toml"
    path.write_text(
        '[service]\nurl = "http://h"\n'
        f'[capture]\nfolder = "{folder / "data"}"\nevery_s = 0.1\nphotos = {photos}\n{cameras}'
    )
    found = ConfigFile(path).config
    assert found.faults == ()
    return found


def test_photos_are_spread_over_a_day_at_least(tmp_path: Path) -> None:
    text = '[[camera]]\nname = "a"\nsource = "rtsp://h"\nhours = "08:00-20:00"\n'
    few = config(tmp_path, text, 100)
    assert beat_s(few.cameras[0], few) == 12 * 3600 / 100
    many = config(tmp_path, text, 100_000)
    assert beat_s(many.cameras[0], many) == 12 * 3600 / 100_000


@pytest.mark.anyio
async def test_capture_collects_until_all_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder and from a camera whose scene changes now and then."""
    monkeypatch.setattr(capture_module, "beat_s", lambda camera, config: 0.01)
    shown = 0

    async def answer(camera: Camera, asked: Headers, writer: asyncio.StreamWriter) -> None:
        nonlocal shown
        shown += 1
        await plain(photo(min(5, 3 + shown // 5), noise=shown))(camera, asked, writer)

    inbox = tmp_path / "in"
    inbox.mkdir()
    for number, item in enumerate((0, 0, 1, 2)):
        (inbox / f"{number}.jpg").write_bytes(photo(item, noise=number))
    lines: list[str] = []
    async with serving(answer) as camera:
        text = (
            f'[[camera]]\nname = "till"\nsource = "{inbox}"\ncategory = "can"\n'
            f'[[camera]]\nname = "shelf"\nsource = "{camera.url}"\ncategory = "can"\n'
            "every_s = 0.1\nmotion = { still_s = 0.2 }\n"
            f'[[camera]]\nname = "none"\nsource = "{inbox}"\n'
        )
        capturing = Capture(config(tmp_path, text, 6), lines.append)
        async with asyncio.timeout(40):
            await capturing.run()
    (collection,) = capturing.collections.values()
    assert len(files(collection)) == 6
    assert sum(path.name.startswith("till_") for path in files(collection)) == 3
    assert len(list((inbox / "done").iterdir())) == 4
    assert "camera none: give it a category: its photos are sorted by that" in lines
    assert lines[-1].endswith("93 more for a false-alarm rate of 0.01, complete")

"""Real files in real folders, watched by watchfiles."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.bridge.frames import Frame
from app.bridge.sources import folder as folder_module
from app.bridge.sources import settling
from app.bridge.sources.folder import Folder
from app.bridge.sources.mounts import is_on_network
from app.bridge.sources.source import SourceError
from tests.support import ROOT, encode, plain, textured

pytestmark = pytest.mark.anyio

PHOTO = encode(textured(64, 48), "JPEG")


@asynccontextmanager
async def opened(folder: Path, **options: object) -> AsyncGenerator[AsyncGenerator[Frame, None]]:
    frames = Folder("a", folder, **{"max_bytes": 1 << 20, **options}).frames()  # type: ignore[arg-type]
    try:
        yield frames
    finally:
        await frames.aclose()


async def following(frames: AsyncGenerator[Frame, None], within_s: float = 20) -> Frame:
    async with asyncio.timeout(within_s):
        return await anext(frames)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("poll", [False, True])
async def test_a_photo_is_taken_and_put_away(tmp_path: Path, poll: bool) -> None:
    async with opened(tmp_path, poll=poll) as frames:
        coming = asyncio.create_task(following(frames))
        await asyncio.sleep(0)
        (tmp_path / "one.jpg").write_bytes(PHOTO)
        frame = await coming
        assert (frame.camera, frame.data, frame.fields["file"]) == ("a", PHOTO, "one.jpg")
        assert names(tmp_path) == ["one.jpg"]  # until it is judged
        await frame.settle(True)
    assert names(tmp_path) == []
    assert (tmp_path / "done/one.jpg").read_bytes() == PHOTO


async def test_photos_that_lie_there_already_are_taken_the_oldest_first(tmp_path: Path) -> None:
    for age, name in ((5, "b"), (9, "c"), (1, "a")):
        path = tmp_path / f"{name}.png"
        path.write_bytes(encode(plain(100 + age)))
        os.utime(path, (time.time() - age,) * 2)
    async with opened(tmp_path) as frames:
        taken = [await following(frames) for _ in range(3)]
    assert [frame.fields["file"] for frame in taken] == ["c.png", "b.png", "a.png"]
    assert 9 <= taken[0].age_s < 25


async def test_what_cannot_be_judged_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(b"<html>" + b"\xff\xd9")
    (tmp_path / "huge.jpg").write_bytes(PHOTO[:-2] + b"\0" * 20_000 + b"\xff\xd9")
    (tmp_path / "ok.jpg").write_bytes(PHOTO)
    (tmp_path / "notes.txt").write_text("left alone")
    (tmp_path / ".hidden.jpg").write_bytes(PHOTO)
    assert len(PHOTO) < 15_000
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folder_module, "PATIENCE_S", 1.0)
        async with opened(tmp_path, max_bytes=15_000) as frames:
            frame = await following(frames)
            await frame.settle(False)
            with pytest.raises(TimeoutError):
                await following(frames, within_s=3)
    assert names(tmp_path / "failed") == ["huge.jpg", "ok.jpg", "page.jpg"]
    assert names(tmp_path) == [".hidden.jpg", "notes.txt"]


async def test_a_file_that_grows_is_taken_once_it_is_whole(tmp_path: Path) -> None:
    """Longer than a file must be still, between its pieces."""
    path, pieces = tmp_path / "slow.jpg", [PHOTO[i : i + 150] for i in range(0, len(PHOTO), 150)]
    assert len(pieces) > 3

    async def write() -> float:
        for piece in pieces:
            with path.open("ab") as file:
                file.write(piece)
            await asyncio.sleep(settling.STILL_S + 0.2)
        return time.monotonic()

    async with opened(tmp_path) as frames:
        writing = asyncio.create_task(write())
        frame = await following(frames)
        assert frame.data == PHOTO
        await writing


async def test_an_empty_file_waits_for_its_content(tmp_path: Path) -> None:
    path = tmp_path / "one.jpg"
    path.touch()
    async with opened(tmp_path) as frames:
        with pytest.raises(TimeoutError):
            await following(frames, within_s=1.5)
    async with opened(tmp_path) as frames:
        coming = asyncio.create_task(following(frames))
        path.write_bytes(PHOTO)
        assert (await coming).data == PHOTO


async def test_a_photo_that_stays_cut_short_is_judged_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service says that it is broken."""
    monkeypatch.setattr(folder_module, "PATIENCE_S", 1.0)
    (tmp_path / "cut.jpg").write_bytes(PHOTO[:-50])
    (tmp_path / "empty.jpg").touch()
    async with opened(tmp_path) as frames:
        assert (await following(frames)).data == PHOTO[:-50]
        with pytest.raises(TimeoutError):
            await following(frames, within_s=2)
    assert names(tmp_path / "failed") == ["empty.jpg"]


async def test_equal_names_overwrite_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as frames:
        for number in range(3):
            (tmp_path / "one.png").write_bytes(encode(plain(number)))
            await (await following(frames)).settle(True)
    kept = [(tmp_path / "done" / name).read_bytes() for name in names(tmp_path / "done")]
    assert sorted(kept) == sorted(encode(plain(number)) for number in range(3))


async def test_judged_photos_need_not_be_kept(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(PHOTO)
    async with opened(tmp_path, delete_done=True) as frames:
        await (await following(frames)).settle(True)
    assert names(tmp_path) == names(tmp_path / "done") == []


async def test_a_photo_is_not_given_twice_while_it_is_judged(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(PHOTO)
    async with opened(tmp_path) as frames:
        first = await following(frames)
        (tmp_path / "two.png").write_bytes(encode(plain(3)))
        assert (await following(frames)).fields["file"] == "two.png"
        (tmp_path / "one.jpg").unlink()
        await first.settle(True)  # somebody took it away: nothing to do


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path / "nowhere") as frames:
        with pytest.raises(SourceError, match=r"no folder .*nowhere: make it, or mount it"):
            await following(frames)


async def test_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "usb"
    folder.mkdir()
    async with opened(folder) as frames:
        coming = asyncio.create_task(following(frames, within_s=30))
        while not (folder / "failed").exists():
            await asyncio.sleep(0.01)
        for name in ("done", "failed"):
            (folder / name).rmdir()
        folder.rmdir()
        with pytest.raises(SourceError):
            await coming


async def test_a_place_for_judged_photos_that_is_taken_is_told(tmp_path: Path) -> None:
    (tmp_path / "done").write_text("a file")
    async with opened(tmp_path) as frames:
        with pytest.raises(SourceError, match="photos cannot be moved within"):
            await following(frames)


CONSUMER = """
import asyncio, sys
from pathlib import Path
from app.bridge.sources.folder import Folder
async def main():
    async for frame in Folder("a", Path(sys.argv[1]), max_bytes=1 << 20).frames():
        with Path(sys.argv[2]).open("ab") as file:
            file.write(frame.fields["file"].encode() + b"\\n")
        await frame.settle(True)
asyncio.run(main())
"""


@pytest.mark.slow
def test_no_photo_is_lost_however_often_the_process_is_killed(tmp_path: Path) -> None:
    folder, seen = tmp_path / "in", tmp_path / "seen"
    folder.mkdir()
    seen.touch()
    photos = {f"{number:03d}.png" for number in range(120)}
    for name in photos:
        (folder / name).write_bytes(encode(plain(int(name[:3]))))
    killed = 0
    deadline = time.monotonic() + 120
    while names(folder) and time.monotonic() < deadline:
        process = subprocess.Popen([sys.executable, "-c", CONSUMER, folder, seen], cwd=ROOT)
        _grown(seen, within_s=20)
        time.sleep(0.003 * (killed % 7))
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
    assert set(names(folder / "done")) == photos
    assert set(seen.read_text().split()) == photos
    assert killed > 3


def _grown(path: Path, within_s: float) -> None:
    before, deadline = path.stat().st_size, time.monotonic() + within_s
    while path.stat().st_size == before:
        assert time.monotonic() < deadline
        time.sleep(0.002)


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:44 / /mnt/cam\\040era rw shared:9 - cifs //nas/photos rw
41 22 0:45 / /mnt/local rw - tmpfs none rw
42 22 0:46 / /mnt/nfs rw - nfs4 nas:/x rw
43 42 0:47 / /mnt/nfs/inner rw - ext4 /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("folder", "on_network"),
    [
        ("/mnt/cam era/photos", True),
        ("/mnt/nfs/x", True),
        ("/mnt/nfs/inner/x", False),
        ("/mnt/nfsx", False),
        ("/mnt/local", False),
        ("/", False),
    ],
)
def test_network_mounts_are_known(tmp_path: Path, folder: str, on_network: bool) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    assert is_on_network(Path(folder), tmp_path / "mounts") is on_network
    assert not is_on_network(Path(folder), tmp_path / "none")

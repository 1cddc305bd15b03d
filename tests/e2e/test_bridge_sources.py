"""The bridge's sources before real cameras' servers: RTSP over TCP, and what goes wrong there."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.bridge.frames import Frame, is_whole, kind_of
from app.bridge.small_grey import size_of
from app.bridge.sources.snapshot import Snapshot
from app.bridge.sources.source import SourceError
from app.bridge.sources.stream import Stream
from app.bridge.supervising import State, Supervisor
from tests.support import ROOT, SHARED, encode, textured
from tests.unit.bridge.mosquitto import free_port

SYSTEM_PYTHON = Path("/usr/bin/python3")
there = shutil.which("ffmpeg") and list(Path("/usr/lib").glob("*/girepository-1.0/GstRtspServer*"))

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(not there, reason="needs ffmpeg and GStreamer's RTSP server"),
]


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-y", "-loglevel", "error", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """long.mp4: H.264, 15 fps, minutes of it; jpeg.avi, h265.mov; sound.mka: no video."""
    folder = tmp_path_factory.mktemp("videos")
    for number, photo in enumerate(photos()):
        (folder / f"{number:02d}.jpg").write_bytes(photo)
    fit = "fps=15,scale=640:480:force_original_aspect_ratio=decrease,pad=640:480:-1:-1,setsar=1"
    h264 = ("-c:v", "libx264", "-g", "30", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    still = ("-framerate", "2", "-i", folder / "%02d.jpg", "-vf", fit)
    ffmpeg(*still, *h264, folder / "short.mp4")
    ffmpeg("-stream_loop", "80", "-i", folder / "short.mp4", "-c", "copy", folder / "long.mp4")
    ffmpeg(*still, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", folder / "short.avi")
    ffmpeg("-stream_loop", "20", "-i", folder / "short.avi", "-c", "copy", folder / "jpeg.avi")
    h265 = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-tag:v", "hvc1")
    ffmpeg(*still, *h265, "-x265-params", "log-level=error:keyint=30", folder / "short.mov")
    ffmpeg("-stream_loop", "20", "-i", folder / "short.mov", "-c", "copy", folder / "h265.mov")
    ffmpeg("-f", "lavfi", "-i", "sine", "-t", "60", "-c:a", "libopus", folder / "sound.mka")
    return folder


def photos() -> list[bytes]:
    """Of cartons before shelves, where they are at hand."""
    found = sorted((SHARED / "data/grocery_cartons").rglob("*.jpg"))[:8]
    drawn = [encode(textured(640, 480 - 10 * n), "JPEG") for n in range(8)]
    return [path.read_bytes() for path in found] or drawn


@contextmanager
def rtsp(
    *files: Path, user: str = "-", port: int = 0
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server, and its port."""
    server = subprocess.Popen(
        [SYSTEM_PYTHON, ROOT / "tests/e2e/rtsp_server.py", str(port), user, *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server, int(server.stdout.readline())
    finally:
        server.send_signal(signal.SIGCONT)
        server.kill()
        server.wait()
        server.stdout.close()  # type: ignore[union-attr]


def stream(port: int, number: int = 0, **options: Any) -> Stream:
    url = f"rtsp://127.0.0.1:{port}/{number}"
    return Stream("a", url, **{"every_s": 0.5, "timeout_s": 8.0, **options})


@asynccontextmanager
async def opened(source: Stream) -> AsyncGenerator[AsyncGenerator[Frame, None], None]:
    frames = source.frames()
    try:
        yield frames
    finally:
        await frames.aclose()


def readers() -> list[int]:
    """The processes that read streams, below this one."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return [int(line.split()[0]) for line in found if "stream_process" in line]


async def test_frames_are_fresh_however_slowly_they_are_judged(videos: Path) -> None:
    with rtsp(videos / "long.mp4") as (_, port):
        source = stream(port)
        async with opened(source) as frames:
            ages = []
            for pause in (0, 0, 4, 0, 2, 0):
                frame = await anext(frames)
                ages.append(frame.age_s)
                assert kind_of(frame.data) == "JPEG"
                assert is_whole(frame.data)
                assert size_of(frame.data) == (640, 480)
                await asyncio.sleep(pause)
    assert max(ages) < 1.0
    assert source.facts == {"codec": "h264", "width": 640, "height": 480, "fps": 15.0}
    assert readers() == []


@pytest.mark.parametrize("file", ["jpeg.avi", "h265.mov"])
async def test_other_codecs_are_read_too(videos: Path, file: str) -> None:
    with rtsp(videos / file) as (_, port):
        async with opened(stream(port)) as frames:
            ages = []
            for _ in range(3):
                frame = await anext(frames)
                assert size_of(frame.data) == (640, 480)
                ages.append(frame.age_s)
    assert max(ages) < 1.0


@pytest.mark.parametrize(
    ("number", "words"), [(1, "cannot be opened"), (7, "cannot be opened: Server returned 404")]
)
async def test_what_shows_nothing_is_told(videos: Path, number: int, words: str) -> None:
    with rtsp(videos / "long.mp4", videos / "sound.mka") as (_, port):
        async with opened(stream(port, number)) as frames:
            with pytest.raises(SourceError, match=words):
                await anext(frames)


async def test_a_camera_that_is_off_is_told(videos: Path) -> None:
    with rtsp(videos / "long.mp4") as (_, port):
        pass
    async with opened(stream(port)) as frames:
        with pytest.raises(SourceError, match="cannot be opened: Connection refused"):
            await anext(frames)


async def test_the_password_is_given_by_digest(videos: Path) -> None:
    with rtsp(videos / "long.mp4", user="admin:s3cret@x") as (_, port):
        async with opened(stream(port, username="admin", password="s3cret@x")) as frames:
            assert is_whole((await anext(frames)).data)
            listed = subprocess.run(["ps", "-ef"], capture_output=True, text=True, check=True)
            assert "s3cret" not in listed.stdout.replace("rtsp_server.py 0 admin:s3cret@x", "")
        async with opened(stream(port, username="admin", password="wrong")) as frames:
            with pytest.raises(SourceError, match="refuses the user name or the password") as told:
                await anext(frames)
        assert told.value.again_s == 60


@asynccontextmanager
async def supervised(source: Stream) -> AsyncGenerator[tuple[Supervisor, list[Frame]], None]:
    seen: list[Frame] = []

    async def take(frame: Frame) -> None:
        seen.append(frame)

    supervisor = Supervisor("a", lambda: source, take)
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor, seen
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(true: Any, within_s: float) -> float:
    """Wait until it is; how long that took."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < within_s
        await asyncio.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.slow
async def test_a_server_that_hangs_is_left_and_found_again(videos: Path) -> None:
    with rtsp(videos / "long.mp4") as (server, port):
        source = stream(port)
        source.stall_s = 3.0  # sooner than FFmpeg's own time-out
        async with supervised(source) as (supervisor, seen):
            await until(lambda: len(seen) > 1, 15)
            (first,) = readers()
            server.send_signal(signal.SIGSTOP)
            await until(lambda: supervisor.standing.state is State.STALLED, 10)
            await until(lambda: first not in readers(), 5)
            server.send_signal(signal.SIGCONT)
            before = len(seen)
            assert await until(lambda: len(seen) > before, 20) < 10
            assert len(readers()) == 1
    assert readers() == []


@pytest.mark.slow
async def test_a_server_that_dies_and_comes_back_is_found_again(videos: Path) -> None:
    async def once(port: int, seen: list[Frame]) -> int:
        with rtsp(videos / "long.mp4", port=port) as (_, bound):
            before = len(seen)
            assert await until(lambda: len(seen) > before + 1, 20) < 12
            return bound

    with rtsp(videos / "long.mp4") as (_, port):
        pass
    async with supervised(stream(port)) as (supervisor, seen):
        for _ in range(3):
            await once(port, seen)
            await until(lambda: supervisor.standing.state is State.FAILED, 20)
        assert supervisor.standing.restarts >= 2


@pytest.mark.slow
async def test_4k_at_30_fps_gives_fresh_frames(tmp_path: Path) -> None:
    """However little of it can be decoded in time here."""
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=size=3840x2160:rate=30", "-t", "25", "-c:v", "libx264"),
        *("-g", "30", "-preset", "ultrafast", "-pix_fmt", "yuv420p", tmp_path / "4k.mp4"),
    )
    with rtsp(tmp_path / "4k.mp4") as (_, port):
        async with opened(stream(port, every_s=1.0, timeout_s=20.0)) as frames:
            ages = [(await anext(frames)).age_s for _ in range(12)]
    assert sorted(ages)[-2] <= 1.5


PARENT = """
import asyncio, sys
from app.bridge.sources.stream import Stream
async def main():
    async for frame in Stream("a", sys.argv[1], every_s=0.2, timeout_s=8.0).frames():
        print(len(frame.data), flush=True)
asyncio.run(main())
"""


async def test_no_reader_outlives_a_bridge_that_was_killed(videos: Path) -> None:
    with rtsp(videos / "long.mp4") as (_, port):
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, f"rtsp://127.0.0.1:{port}/0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) > 1000
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert len(children) == 1
        parent.kill()
        parent.wait()
        parent.stdout.close()
        await until(lambda: not Path(f"/proc/{children[0]}").exists(), 5)


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            root {folder}/www; auth_basic camera; auth_basic_user_file {folder}/users;
        }}
    }}
}}
"""
nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@pytest.mark.skipif(not nginx, reason="needs nginx")
async def test_nginx_with_basic_auth_gives_photos_and_says_when_they_have_not_changed(
    tmp_path: Path,
) -> None:
    (tmp_path / "www").mkdir()
    photo = tmp_path / "www/snapshot.jpg"
    photo.write_bytes(photos()[0])
    (tmp_path / "users").write_text("admin:{PLAIN}s3cret\n")
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)  # nginx's workers are another user
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, port=port))
    server = subprocess.Popen(
        [str(nginx), "-c", tmp_path / "nginx.conf"], stderr=subprocess.DEVNULL
    )
    try:
        await until(lambda: (tmp_path / "nginx.pid").exists(), 10)
        await _photos_of_nginx(port, photo, tmp_path / "access.log")
    finally:
        server.terminate()
        server.wait()


async def _photos_of_nginx(port: int, photo: Path, log: Path) -> None:
    def source(password: str) -> Snapshot:
        url = f"http://127.0.0.1:{port}/snapshot.jpg"
        return Snapshot("a", url, every_s=0.05, timeout_s=5, max_bytes=1 << 24,
                        username="admin", password=password)  # fmt: skip

    frames = source("s3cret").frames()
    first = photo.read_bytes()
    assert [(await anext(frames)).data for _ in range(3)] == [first] * 3
    later = photo.with_name("next")
    later.write_bytes(encode(textured(320, 240), "JPEG"))
    os.utime(later, (time.time() + 10,) * 2)
    later.replace(photo)
    assert (await anext(frames)).data == photo.read_bytes() != first
    await frames.aclose()
    assert [line.split('" ')[1][:3] for line in log.read_text().splitlines()] == [
        *("401", "200", "304", "304", "200")
    ]
    with pytest.raises(SourceError, match="refuses the user name or the password"):
        await anext(source("wrong").frames())

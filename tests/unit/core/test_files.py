from __future__ import annotations

import multiprocessing
import os
import random
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from app.core.files import read_at_most, shown, whole_file, write_whole
from tests.support import plain

fork = multiprocessing.get_context("fork")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("sync", [False, True])
def test_bytes_and_text_are_written_as_they_are(tmp_path: Path, sync: bool) -> None:
    write_whole(tmp_path / "a", b"\0\r\n", sync=sync)
    write_whole(tmp_path / "b", "größe\r\n", sync=sync)
    assert (tmp_path / "a").read_bytes() == b"\0\r\n"
    assert (tmp_path / "b").read_bytes() == "größe\r\n".encode()


def test_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "folder" / "file.json", "{}")
    assert names(tmp_path / "new" / "folder") == ["file.json"]


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    for text in ("a long first text", "short"):
        write_whole(tmp_path / "file", text)
    assert (tmp_path / "file").read_text() == "short"
    assert names(tmp_path) == ["file"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / "link").symlink_to("elsewhere")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "elsewhere").read_text() == "kept"
    assert not (tmp_path / "link").is_symlink()


def test_others_may_read_it_as_any_file_of_this_user(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_whole(tmp_path / "file", "")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "file")]
    assert modes[0] == modes[1]


def test_the_hidden_name_tells_libraries_the_format(tmp_path: Path) -> None:
    with whole_file(tmp_path / "drawn.png") as partial:
        assert partial.name.startswith(".partial-")
        Figure().savefig(partial)
    with whole_file(tmp_path / "photo.png") as partial:
        plain(9).save(partial)
    for name in ("drawn.png", "photo.png"):
        with Image.open(tmp_path / name) as image:
            assert image.format == "PNG"
    assert names(tmp_path) == ["drawn.png", "photo.png"]


def test_readers_see_the_old_file_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with whole_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("fault", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("written", [False, True])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, fault: type[BaseException], written: bool
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as partial:
            if written:
                partial.write_text("half")
            raise fault("told")

    with pytest.raises(fault, match="told"):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_body_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "file"):
        pass
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the way")
    for path in (tmp_path / "folder" / "file", tmp_path / "folder" / "deeper" / "file"):
        with pytest.raises(OSError, match="folder"):
            write_whole(path, "new")
    assert (tmp_path / "folder").read_text() == "in the way"


def test_a_folder_in_the_files_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file" / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "file", "new")
    assert names(tmp_path) == ["file"]


def test_synced_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, path.exists()))
        real(descriptor)

    path = tmp_path / "file"
    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, "unsynced", sync=False)
    assert seen == []
    path.unlink()
    write_whole(path, "synced", sync=True)
    assert [there for _, there in seen] == [False, True]
    assert seen[0][0].startswith(".partial-")
    assert seen[1][0] == tmp_path.name


def write_for_ever(path: Path, sizes: range) -> None:
    while True:
        for size in sizes:
            write_whole(path, b"%d" % (size % 10) * size)


def is_whole(data: bytes, sizes: range) -> bool:
    return len(data) in sizes and data == b"%d" % (len(data) % 10) * len(data)


def wait_until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until


SIZES = range(1_000_001, 1_000_010)  # large enough to be hit midway


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"%d" % (SIZES[0] % 10) * SIZES[0])
    hit_midway = 0
    moments = random.Random(5)
    for _ in range(500):
        if hit_midway == 8:
            break
        child = fork.Process(target=write_for_ever, args=(path, SIZES))
        child.start()
        wait_until(lambda: len(names(tmp_path)) > 1)  # it writes by now
        time.sleep(moments.uniform(0, 0.01))
        child.kill()
        child.join(10)
        assert child.exitcode == -signal.SIGKILL
        assert is_whole(path.read_bytes(), SIZES)
        hit_midway += len(names(tmp_path)) > 1
        for left in tmp_path.glob(".partial-*"):
            left.unlink()
    assert hit_midway == 8  # else this proves nothing


def test_writers_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"%d" % (SIZES[0] % 10) * SIZES[0])
    children = [fork.Process(target=write_for_ever, args=(path, SIZES)) for _ in range(3)]
    for child in children:
        child.start()
    seen: set[int] = set()
    until = time.monotonic() + 20
    while time.monotonic() < until and len(seen) < 4:
        data = path.read_bytes()
        assert is_whole(data, SIZES)
        seen.add(len(data))
    alive = [child.is_alive() for child in children]
    for child in children:
        child.kill()
        child.join(10)
    assert alive == [True] * 3
    assert len(seen) > 1


@pytest.mark.parametrize(("size", "read"), [(0, 0), (9, 9), (10, 10), (11, 11), (5_000, 11)])
def test_no_more_than_the_limit_and_one_byte_is_read(tmp_path: Path, size: int, read: int) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    assert len(read_at_most(tmp_path / "file", 10)) == read


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        (b"plain name_1.png", "plain name_1.png"),
        ("größe 饮料.png".encode(), "größe 饮料.png"),
        (b"M\xfcller.png", r"M\xfcller.png"),
        (b"a\nb\r\tc.png", r"a\nb\r\tc.png"),
        (b"\x1b[31mred\x07.png", r"\x1b[31mred\x07.png"),
        ("\u202egnp.exe\u2028".encode(), r"\u202egnp.exe\u2028"),
        ("\x9b2J".encode(), r"\x9b2J"),
    ],
)
def test_names_are_shown_without_what_cannot_be_printed(name: bytes, seen: str) -> None:
    assert shown(os.fsdecode(name)) == shown(Path(os.fsdecode(name))) == seen
    assert seen.encode("utf-8").decode("utf-8").isprintable()


def test_half_a_character_that_no_file_system_gave_is_shown_too() -> None:
    assert shown("a\ud800b") == r"a\ud800b"

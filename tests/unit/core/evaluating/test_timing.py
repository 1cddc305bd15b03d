from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import NotAnImage
from app.core.evaluating.timing import milliseconds


def photos(folder: Path, n: int) -> list[Path]:
    paths = [folder / f"{i}.png" for i in range(n)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def test_methods_take_turns_and_each_is_first_as_often(tmp_path: Path) -> None:
    asked: list[tuple[str, bytes]] = []
    methods = {name: lambda photo, name=name: asked.append((name, photo)) for name in "ab"}
    found = milliseconds(methods, photos(tmp_path, 4))
    assert "".join(name for name, _ in asked) == "abbaabba"
    assert [photo for _, photo in asked[::2]] == [b"0.png", b"1.png", b"2.png", b"3.png"]
    assert set(found) == {"a", "b"}
    assert min(found.values()) >= 0


def test_a_photo_that_one_cannot_read_counts_for_none(tmp_path: Path) -> None:
    calls: list[bytes] = []

    def strict(photo: bytes) -> None:
        if photo == b"1.png":
            raise NotAnImage("no")

    paths = [*photos(tmp_path, 2), tmp_path / "gone.png"]
    assert set(milliseconds({"a": calls.append, "b": strict}, paths)) == {"a", "b"}
    assert milliseconds({"b": strict}, paths[1:]) == {}


@pytest.mark.parametrize("names", [(), ("a",)])
def test_no_photo_or_no_method_gives_no_time(names: tuple[str, ...], tmp_path: Path) -> None:
    assert milliseconds(dict.fromkeys(names, len), []) == {}
    assert milliseconds({}, photos(tmp_path, 1)) == {}

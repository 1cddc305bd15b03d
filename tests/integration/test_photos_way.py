"""What docs/architecture.md says of a photo's way, held against a request that is traced."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tests.integration.service import GOOD, serve
from tests.support import ROOT

pytestmark = pytest.mark.anyio

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
WAY = PAGE.split("## A photo's way")[1].split("## ")[0]
FILES = set(re.findall(r"`(app/[\w/]+\.py)`", WAY))
HOPS = re.findall(r"`([\w.]+)`", WAY.split("there are four calls:")[1].split(".\n")[0])


@contextmanager
def traced(found: set[tuple[str, str]]) -> Iterator[None]:
    """Collect file and function of every call of ours, here and on threads that start meanwhile."""

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT / "app"):
            found.add((str(path.relative_to(ROOT)), frame.f_code.co_qualname))

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


async def test_the_page_names_files_and_calls_that_a_photo_passes(tmp_path: Path) -> None:
    found: set[tuple[str, str]] = set()
    with traced(found):
        async with serve(tmp_path) as service:
            answer = await service.score(GOOD)
    assert answer.status_code == 200
    assert len(FILES) <= 12
    assert {path for path, _ in found} >= FILES
    assert len(HOPS) - 1 <= 4
    assert {function for _, function in found} >= set(HOPS)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_named_exists(name: str) -> None:
    assert (ROOT / name).is_file()

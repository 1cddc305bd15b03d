from __future__ import annotations

import pytest

from app.core.judging.backdrop import Backdrop, reduced
from app.core.photo.images import IN_WORK
from tests.support import textured


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((160, 120), (160, 120)),
        ((1024, 7), (1024, 7)),
        ((1025, 700), (1024, 699)),
        ((700, 2100), (341, 1024)),
        ((5000, 1), (1024, 1)),
    ],
)
def test_a_picture_is_reduced_to_what_a_screen_shows(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    assert reduced(textured(*size)).size == shown


def test_a_backdrop_counts_among_the_pixels_in_work_until_it_is_released() -> None:
    free = IN_WORK._free
    backdrop = Backdrop(textured(40, 30))
    assert IN_WORK._free == free - 1200
    assert backdrop.picture is not None
    assert backdrop.picture.size == (40, 30)
    for _ in range(2):
        backdrop.release()
        assert backdrop.picture is None
        assert IN_WORK._free == free

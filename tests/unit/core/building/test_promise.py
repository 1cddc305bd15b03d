from __future__ import annotations

from pathlib import Path

import pytest

from app.core.building.promise import Promise
from app.core.building.reading import Unreadable
from app.core.errors import CalibrationError, TooManyUnreadable
from app.core.judging.calibration import Alpha, Quantile, alpha_to_ask_for, smallest_alpha

BROKEN = Unreadable(Path("good/003.png"), "cut short")


def promise(alpha: float, images: int, accepted: float = 0.05) -> Promise:
    return Promise("can", Alpha(alpha=alpha), images, accepted)


@pytest.mark.parametrize(("alpha", "needed"), [(0.01, 99), (0.04, 24), (0.05, 19), (0.9, 2)])
def test_so_many_photos_carry_a_rate(alpha: float, needed: int) -> None:
    assert promise(alpha, 999).needed == needed
    assert needed == 2 or smallest_alpha(needed) <= alpha < smallest_alpha(needed - 1)


@pytest.mark.parametrize(("images", "close"), [(24, True), (25, True), (26, False)])
def test_it_is_close_where_accepted_broken_files_could_cost_it(images: int, close: bool) -> None:
    assert promise(0.04, images).is_close == close


def test_a_broken_photo_too_many_is_refused_with_the_rate_to_ask_for() -> None:
    asked = promise(0.04, 24)
    asked.check()
    with pytest.raises(CalibrationError, match=r"23 different .*003\.png \(cut.*--alpha 0\.042"):
        asked.add([BROKEN])


def test_the_rate_to_ask_for_is_carried() -> None:
    again = promise(0.042, 24)
    again.add([BROKEN])
    assert again.left == 23


def test_no_rate_is_advised_that_is_not_carried() -> None:
    for photos in range(2, 1_200):
        advised = float(f"{alpha_to_ask_for(photos):g}")
        assert smallest_alpha(photos) <= advised < 1.1 * smallest_alpha(photos)
        promise(advised, photos).check()


def test_copies_count_once() -> None:
    with pytest.raises(CalibrationError, match=r"19 different .*5 are copies of others"):
        promise(0.04, 24).add(copies=5)
    with pytest.raises(CalibrationError, match="2 different good images"):
        Promise("can", Quantile(q=0.9), 24).add(copies=23)


def test_a_broken_share_is_refused_as_soon_as_it_is_certain() -> None:
    asked = promise(0.1, 100)
    asked.add([BROKEN] * 5)
    with pytest.raises(TooManyUnreadable, match=r"6 of 100 images of can .*--max-unreadable"):
        asked.add([BROKEN])

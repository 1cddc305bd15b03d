"""Photos learnt from and photos held out."""

from __future__ import annotations

import pytest

from app.core.choosing.split import split


@pytest.mark.parametrize("photos", [15, 36, 100])
def test_each_photo_is_on_one_side(photos: int) -> None:
    learnt, out = split(photos, 0)
    assert sorted([*learnt, *out]) == list(range(photos))
    assert len(out) == round(photos / 3)
    assert split(photos, 0) == (learnt, out)


def test_another_seed_holds_out_others() -> None:
    assert split(60, 0) != split(60, 1)

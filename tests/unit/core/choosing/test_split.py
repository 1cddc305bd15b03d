"""Photos learnt from and photos held out."""

from __future__ import annotations

import pytest

from app.core.choosing.split import split


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_on_both_sides(seed: int) -> None:
    groups = [f"sku {i // 5}" for i in range(60)]
    learnt, out = split(groups, seed)
    assert sorted([*learnt, *out]) == list(range(60))
    assert {groups[i] for i in learnt}.isdisjoint({groups[i] for i in out})
    assert 20 <= len(out) <= 24
    assert split(groups, seed) == (learnt, out)


def test_another_seed_holds_out_others() -> None:
    names = [str(i) for i in range(60)]
    assert split(names, 0) != split(names, 1)


def test_photos_of_one_group_stand_alone() -> None:
    learnt, out = split(["one"] * 9, 0)
    assert (len(learnt), len(out)) == (6, 3)


def test_something_is_learnt_where_one_group_is_nearly_all() -> None:
    learnt, out = split(["a", "b", *["c"] * 20], 0)
    assert learnt
    assert out
